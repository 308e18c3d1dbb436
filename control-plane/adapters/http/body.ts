/** The one door for request bodies and queries: bounded, JSON, and checked. */
import type * as z from "zod/mini";
import { Fault, reasonOf } from "../../../mod/fault.ts";
import { check } from "../../../mod/protocol/check.ts";

/** How much of a body is taken, and for how long it is waited for. */
export interface BodyLimits {
  bytes: number;
  ms: number;
}

/** A document of 900 KiB, escaped as JSON at its worst, and room for the rest; time for a slow line. */
const BODY_LIMITS: BodyLimits = { bytes: 6 * 1024 * 1024, ms: 30_000 };

/** The body as the schema says; an empty one is `undefined`. Faults: `invalid`, with the path of the bad member. */
export async function readBody<S extends z.ZodMiniType>(request: Request, schema: S): Promise<z.infer<S>> {
  const isJson = /^application\/json\b/i.test(request.headers.get("content-type") ?? "");
  // Of what is not to be taken no more than a sign of life is read.
  const text = await readText(request, isJson ? BODY_LIMITS : { ...BODY_LIMITS, bytes: 0, refusal: notJson() });
  return checked(schema, text === "" ? undefined : parsed(text));
}

/** The body's text. Faults: `invalid` where it is larger than the limit, or not there in time. */
export async function readText(
  request: Request,
  { bytes: most, ms, refusal = tooLarge(most) }: BodyLimits & { refusal?: Fault },
): Promise<string> {
  if (request.body === null) return "";
  if (Number(request.headers.get("content-length") ?? 0) > most) throw refusal;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = request.body.getReader();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(tooLate(ms)), ms);
  let text = "", bytes = 0;
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late.promise]);
      if (done) return text + decoder.decode();
      bytes += value.length;
      if (bytes > most) throw refusal;
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    // The rest is not read; whether the peer hears of it is its own affair.
    reader.cancel().catch(() => {});
    if (error instanceof Fault) throw error;
    throw new Fault("invalid", `Cannot read the body: ${reasonOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function notJson(): Fault {
  return new Fault("invalid", "Cannot take the body: its content-type is not application/json", {
    path: "content-type",
  });
}

function tooLarge(bytes: number): Fault {
  return new Fault("invalid", `Cannot take the body: it is larger than ${bytes / 1024} KiB`);
}

function tooLate(ms: number): Fault {
  return new Fault("invalid", `Cannot take the body: it did not come within ${ms / 1000} s`);
}

/** `limit` and `after` of a list. */
export function paging(url: URL): { limit: number; after?: string } {
  const given = url.searchParams.get("limit") ?? "100";
  const limit = Number(given);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new Fault("invalid", "Cannot take limit: it is a whole number from 1 to 1000", { path: "limit" });
  }
  return { limit, ...optional(url, "after") };
}

/** The query's member, where it is given. */
export function optional<K extends string>(url: URL, name: K): { [P in K]?: string } {
  const value = url.searchParams.get(name);
  const found: { [P in K]?: string } = {};
  if (value !== null && value !== "") found[name] = value;
  return found;
}

function checked<S extends z.ZodMiniType>(schema: S, value: unknown): z.infer<S> {
  const result = check(schema, value);
  if (result.ok) return result.data;
  throw new Fault("invalid", `Cannot take the body: ${result.text}`, { path: result.path });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No cause: a JSON error quotes what it could not read.
    throw new Fault("invalid", "Cannot take the body: it is not JSON");
  }
}
