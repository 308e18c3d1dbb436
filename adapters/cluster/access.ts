/**
 * REST access to one API server: JSON in, JSON out, every refusal a fault.
 *
 * What is asked again, up to four times in all: whatever the server has not seen (no connection) or has turned away
 * before doing anything (429, or 401 when the token was renewed meanwhile); reads also after a timeout, a broken
 * connection or HTTP 5xx. A write whose answer is lost is never sent again: only the caller knows whether a repeat
 * is harmless (objects named by the run are: the repeat answers 409).
 */
import * as z from "zod/mini";
import { Fault } from "../../mod/fault.ts";
import type { Clock, Log } from "../../mod/ports.ts";
import type { ClusterConfig } from "./config.ts";
import type { ClusterAccess, ListOptions, Page, Query } from "./port.ts";
import { isExpired, refused, Status } from "./status.ts";
import { ApiObject, type ApiVerb, pathOf, spoken, type Target } from "./target.ts";
import { type Answer, createTransport, NoAnswer } from "./transport.ts";

/** What access needs of the world. */
export interface AccessOptions {
  clock: Clock;
  log: Log;
  random: { float(): number };
  /** Limit of one try, milliseconds. */
  timeoutMs?: number;
}

const TRIES = 4;
const FIRST_WAIT_MS = 200;
/** Longer than this is not waited here: the fault tells the caller when. */
const MOST_WAIT_SECONDS = 20;
const TIMEOUT_MS = 15_000;
const METADATA = ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST = ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/** A field that the server does not know is refused instead of being dropped in silence. */
const STRICT = { fieldValidation: "Strict" };
const METHODS = { get: "GET", list: "GET", watch: "GET", create: "POST", patch: "PATCH", delete: "DELETE" } as const;

const List = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.optional(z.string()) }),
  items: z.nullish(z.array(ApiObject)),
});
const Served = z.object({ resources: z.array(z.object({ name: z.string() })) });

interface Call {
  verb: ApiVerb;
  target: Target;
  query?: Query;
  body?: unknown;
  accept?: string;
}

/** Access that connects at its first request. */
export function createClusterAccess(config: ClusterConfig, options: AccessOptions): ClusterAccess {
  const { clock, log, random, timeoutMs = TIMEOUT_MS } = options;
  const transport = createTransport(config);

  const exchange = ({ verb, target, query = {}, body, accept = "" }: Call) => ({
    method: METHODS[verb],
    path: pathOf(target) + queryOf(query),
    headers: {
      accept: verb === "get" && target.subresource === "log" ? "*/*" : `application/json${accept}`,
      ...body === undefined ? {} : {
        "content-type": verb === "patch" ? patchTypeOf(body) : "application/json",
      },
    },
    ...body === undefined ? {} : { body: written(body) },
    timeoutMs,
  });

  async function ask(call: Call, signal: AbortSignal): Promise<unknown> {
    const reads = call.verb === "get" || call.verb === "list";
    for (let tried = 1;; tried++) {
      let fault: Fault;
      let again: boolean;
      try {
        const answer = await transport.ask(exchange(call), signal);
        if (answer.code >= 200 && answer.code < 300) return parsed(answer, call);
        fault = faultOf(answer, call);
        again = answer.code === 429 || (answer.code >= 500 && reads) ||
          (answer.code === 401 && await config.token(signal) !== answer.token);
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        fault = unanswered(call, error);
        again = error.unsent || reads;
      }
      const { retryAfterSeconds } = fault.details;
      if (!again || tried === TRIES || (retryAfterSeconds ?? 0) > MOST_WAIT_SECONDS) throw fault;
      log("debug", "cluster.retry", { reason: fault.message, count: tried });
      const backoff = FIRST_WAIT_MS * 4 ** (tried - 1) * (0.5 + random.float());
      await clock.sleep(Math.max(backoff, (retryAfterSeconds ?? 0) * 1000), signal);
    }
  }

  function unanswered({ verb, target }: Call, error: NoAnswer): Fault {
    const lost = error.unsent || METHODS[verb] === "GET" ? "" : "; whether it was done is not known";
    const reason = `Cannot ${verb} ${spoken(target)}: ${config.server} (${config.source}): ${error.message}${lost}`;
    return new Fault("unavailable", reason, { cause: error });
  }

  async function page(target: Target, options: ListOptions, signal: AbortSignal): Promise<Page> {
    const { metadataOnly, limit = 500, ...query } = options;
    const accept = metadataOnly ? METADATA_LIST : "";
    const answer = await ask({ verb: "list", target, query: { ...query, limit }, accept }, signal);
    const { metadata, items } = checked(List, answer, "list", target);
    return {
      items: items ?? [],
      resourceVersion: metadata.resourceVersion,
      ...metadata.continue ? { continue: metadata.continue } : {},
    };
  }

  const object = async (call: Call, signal: AbortSignal) =>
    checked(ApiObject, await ask(call, signal), call.verb, call.target);

  return {
    namespace: config.namespace,
    page,
    get: (target, signal) => object({ verb: "get", target }, signal),
    create: (target, body, signal) => object({ verb: "create", target, body, query: STRICT }, signal),
    post: (target, body, signal) => ask({ verb: "create", target, body }, signal),
    patch: (target, body, signal) => object({ verb: "patch", target, body }, signal),
    delete: async (target, body, signal) => void await ask({ verb: "delete", target, body }, signal),
    async *list(target, options, signal) {
      const told = new Set<string>();
      for (let next: string | undefined = options.continue, more = true; more;) {
        try {
          const { items, continue: after } = await page(
            target,
            { ...options, ...next ? { continue: next } : {} },
            signal,
          );
          for (const item of items) {
            if (told.has(item.metadata.uid)) continue;
            told.add(item.metadata.uid);
            yield item;
          }
          next = after;
          more = after !== undefined;
        } catch (error) {
          if (next === undefined || !isExpired(error)) throw error;
          next = undefined;
        }
      }
    },
    async open(verb, target, query, signal) {
      const accept = query.metadataOnly ? METADATA : "";
      const call = { verb, target, query: { ...query, metadataOnly: undefined }, accept };
      const response = await transport.open(exchange(call), signal).catch((error) => {
        throw error instanceof NoAnswer ? unanswered(call, error) : error;
      });
      if (response.ok && response.body) return response.body;
      throw faultOf({ code: response.status, headers: response.headers, text: await response.text() }, call);
    },
    async served(apiVersion, signal) {
      const target = { apiVersion, resource: "" };
      try {
        const answer = await ask({ verb: "get", target }, signal);
        return checked(Served, answer, "get", target).resources.map(({ name }) => name);
      } catch (error) {
        if (error instanceof Fault && error.details.rule === "not-served") return [];
        throw error;
      }
    },
    renew: () => transport.renew(),
    close: () => transport.close(),
  };
}

/**
 * As the server itself would write it (https://pkg.go.dev/encoding/json#HTMLEscape). What it keeps as it was sent (a
 * ControllerRevision's data) it rewrites so at a patch, and then refuses the patch because immutable bytes changed.
 */
function written(body: unknown): string {
  return JSON.stringify(body).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A list of operations is a JSON Patch (RFC 6902), an object a merge patch (RFC 7396). */
function patchTypeOf(body: unknown): string {
  return `application/${Array.isArray(body) ? "json-patch" : "merge-patch"}+json`;
}

function queryOf(query: Query): string {
  const text = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) text.set(key, String(value));
  return text.size === 0 ? "" : `?${text}`;
}

function faultOf({ code, headers, text }: Answer, { verb, target }: Call): Fault {
  const status = Status.safeParse(json(text));
  const seconds = Number(headers.get("retry-after") ?? NaN);
  return refused({
    verb,
    target,
    code,
    ...status.success ? { status: status.data } : {},
    ...Number.isFinite(seconds) ? { retryAfterSeconds: seconds } : {},
  });
}

function parsed({ text }: Answer, { verb, target }: Call): unknown {
  const value = json(text);
  if (value !== undefined) return value;
  throw new Fault("malformed", `Cannot ${verb} ${spoken(target)}: the answer is no JSON; is it the API server?`);
}

function checked<T extends z.ZodMiniType>(type: T, value: unknown, verb: ApiVerb, target: Target): z.infer<T> {
  const result = type.safeParse(value);
  if (result.success) return result.data;
  const where = result.error.issues[0]?.path.join(".") || "the whole";
  throw new Fault("malformed", `Cannot ${verb} ${spoken(target)}: the answer is not as it should be (${where})`);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
