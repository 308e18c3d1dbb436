/**
 * Logs that the Argo Server keeps: main's log as an artifact, where the controller archives logs, of Workflows that are
 * still there and of archived ones (https://argo-workflows.readthedocs.io/en/latest/configure-archive-logs/). The
 * server's own log route reads live pods only, so it has nothing that the kubelet has not.
 */
import * as z from "zod/mini";
import { Fault, type FaultCode, reasonOf } from "../../../../mod/fault.ts";
import { reveal, type Secret } from "../../../../mod/secrets/secret.ts";
import { createPatience } from "../../../cluster/patience.ts";

/** The archive as the reader of one run's log sees it. */
export interface LogArchive {
  /** Where it is, for people. */
  readonly place: string;
  /** The logs of the run's attempts, the oldest first; undefined if it has none. Faults: `denied`, `unavailable`. */
  attempts(signal: AbortSignal): Promise<ArchivedAttempt[] | undefined>;
}

/** One attempt's log. */
export interface ArchivedAttempt {
  /** Its bytes, to be read to the end or cancelled; the signal should be the reader's own. Undefined if it is gone. */
  open(signal: AbortSignal): Promise<ReadableStream<Uint8Array> | undefined>;
}

/** What the archive needs of the world. */
export interface ArgoArchiveOptions {
  /** PIPELINE_SERVICE_CLIENT_ENDPOINT: the Argo Server's address. */
  endpoint: string;
  /** ARGO_TOKEN: of an account that may get workflows. */
  token?: Secret;
  /** Trusts the server's certificate. */
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Limit of waiting for an answer's head, milliseconds. */
  timeoutMs?: number;
}

/** Archived logs of Workflows. */
export interface ArgoArchive {
  /** Of the Workflow of that name. */
  of(namespace: string, name: string): LogArchive;
}

const TIMEOUT_MS = 15_000;
const ARTIFACT = "main-logs";
const ARCHIVING_STATUS = "workflows.argoproj.io/workflow-archiving-status";

const Artifact = z.object({ name: z.string(), deleted: z.optional(z.boolean()) });
const Node = z.object({
  id: z.string(),
  type: z.optional(z.string()),
  startedAt: z.nullish(z.string()),
  outputs: z.nullish(z.object({ artifacts: z.nullish(z.array(Artifact)) })),
});
const Workflow = z.object({
  metadata: z.object({ uid: z.string(), labels: z.optional(z.record(z.string(), z.string())) }),
  status: z.nullish(z.object({ nodes: z.nullish(z.record(z.string(), Node)) })),
});

/** Asks nothing before it is read. */
export function createArgoArchive(options: ArgoArchiveOptions): ArgoArchive {
  const { token, timeoutMs = TIMEOUT_MS } = options;
  const endpoint = options.endpoint.replace(/\/+$/, "");
  const headers = { ...token ? { authorization: `Bearer ${bearer(token)}` } : {} };

  async function get(path: string, what: string, signal: AbortSignal): Promise<Response> {
    const patience = createPatience(signal, timeoutMs);
    try {
      const response = await options.fetch(endpoint + path, { headers, redirect: "manual", signal: patience.signal });
      if (response.ok || response.status === 404) return response;
      await response.body?.cancel();
      throw refused(response.status, what, endpoint);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Fault) throw error;
      const reason = patience.lost ? `no answer in ${timeoutMs / 1000} s` : reasonOf(error);
      throw new Fault("unavailable", `Cannot read ${what} from the Argo Server at ${endpoint}: ${reason}; ` + ADVICE, {
        cause: error,
      });
    } finally {
      // The body still needs the caller's abort, and no limit.
      patience.pause();
    }
  }

  async function workflow(namespace: string, name: string, outer: AbortSignal) {
    const what = `Workflow "${name}" in namespace ${namespace}`;
    const path = `/api/v1/workflows/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
    const fields = "?fields=metadata.uid,metadata.labels,status.nodes";
    return await withOwn(outer, async (signal) => {
      const response = await get(path + fields, what, signal);
      if (response.status === 404) return void await response.body?.cancel();
      const read = Workflow.safeParse(await response.json().catch(() => undefined));
      if (read.success) return read.data;
      throw new Fault("malformed", `Cannot read ${what}: ${endpoint} does not answer like an Argo Server; ${ADVICE}`);
    });
  }

  return {
    of: (namespace, name) => ({
      place: `the Argo Server at ${endpoint}`,
      async attempts(signal) {
        const found = await workflow(namespace, name, signal);
        if (found === undefined) return undefined;
        const { metadata: { uid, labels }, status } = found;
        // An archived one is addressed by its uid; only the archive writes this status.
        const isArchived = labels?.[ARCHIVING_STATUS] === "Persisted";
        const place = isArchived ? `archived-workflows/${uid}` : `workflows/${encodeURIComponent(name)}`;
        const nodes = Object.values(status?.nodes ?? {}).filter(({ type, outputs }) =>
          type === "Pod" && outputs?.artifacts?.some(({ name, deleted }) => name === ARTIFACT && !deleted)
        );
        if (nodes.length === 0) return undefined;
        nodes.sort((a, b) => (a.startedAt ?? "") < (b.startedAt ?? "") ? -1 : 1);
        return nodes.map(({ id }) => ({
          async open(signal) {
            const path = `/artifact-files/${encodeURIComponent(namespace)}/${place}/${encodeURIComponent(id)}`;
            const response = await get(`${path}/outputs/${ARTIFACT}`, `the archived log of ${id}`, signal);
            if (response.status !== 404) return response.body ?? undefined;
            await response.body?.cancel();
            return undefined;
          },
        }));
      },
    }),
  };
}

const ADVICE = "check PIPELINE_SERVICE_CLIENT_ENDPOINT and ARGO_SERVER_CERTIFICATE_PATH";

const REFUSALS: Readonly<Record<number, { code: FaultCode; says: string }>> = {
  401: { code: "denied", says: "it does not accept ARGO_TOKEN; renew it" },
  403: { code: "denied", says: "the account of ARGO_TOKEN may not; allow it to get workflows" },
  429: { code: "busy", says: "it takes no more requests now" },
};

function refused(status: number, what: string, endpoint: string): Fault {
  const { code, says } = REFUSALS[status] ?? { code: "unavailable", says: ADVICE };
  const message = `Cannot read ${what} from the Argo Server at ${endpoint}: HTTP ${status}; ${says}`;
  return new Fault(code, message, code === "denied" ? { rule: "ARGO_TOKEN" } : {});
}

/** People paste the whole header's value, as Argo's own command line prints it. */
function bearer(token: Secret): string {
  return reveal(token).trim().replace(/^Bearer\s+/i, "");
}

/** A signal of its own for one exchange, so that nothing listens on the caller's afterwards. */
async function withOwn<T>(outer: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const abort = () => own.abort(outer.reason);
  outer.throwIfAborted();
  outer.addEventListener("abort", abort, { once: true });
  try {
    return await run(own.signal);
  } finally {
    outer.removeEventListener("abort", abort);
  }
}
