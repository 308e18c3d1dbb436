/**
 * Pod logs as the API server and a kubelet 1.34 send them: the file's entries (of at most 16 KiB, partial ones without
 * newline), timestamps, `sinceTime`, `tailLines`, `follow`, rotation; with knobs for everything that goes wrong.
 */
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import type { RunLogLook } from "../../adapters/engine/cluster/logs/read.ts";
import type { ContainerFacts, PodFacts } from "../../adapters/engine/cluster/facts.ts";
import type { Clock } from "../../mod/ports.ts";

/** One entry of the container's log file (CRI format). */
export interface Entry {
  /** Nanoseconds since the epoch. */
  time: bigint;
  text: string | Uint8Array;
  /** Tag P: no newline follows. */
  isPartial?: boolean;
}

/** What happens to the next request for a log, in the order of the script. */
export type Trick =
  /** The body ends after so many bytes: as if whole, or with the connection. */
  | { does: "cut"; after: number; clean: boolean }
  /** After so many bytes nothing more comes. */
  | { does: "silence"; after: number }
  | { does: "refuse"; code: number; message: string }
  /** Untimestamped words in the place of lines, or behind them. */
  | { does: "say"; words: string; after?: number };

export interface Attempt {
  readonly facts: PodFacts;
  /** The current file. */
  entries: Entry[];
  /** The container's state; a change wakes those who follow. */
  state: "none" | "waiting" | "running" | "terminated";
  /** The container never came to run. */
  neverRan?: boolean;
  write(...entries: Entry[]): void;
  end(): void;
}

export interface Kubelet {
  readonly access: ClusterAccess;
  readonly attempts: Attempt[];
  readonly tricks: Trick[];
  /** Queries so far. */
  readonly asked: URLSearchParams[];
  isOver: boolean;
  hasRun?: boolean;
  isDeleted: boolean;
  attempt(entries: Entry[], state?: Attempt["state"]): Attempt;
  look(): Promise<RunLogLook | undefined>;
  close(): Promise<void>;
}

export const clock: Clock = {
  now: () => Date.now(),
  // Time is short here, but others come to their turn.
  sleep: (_ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const abort = () => (clearTimeout(timer), reject(signal.reason));
      const timer = setTimeout(() => (signal.removeEventListener("abort", abort), resolve()), 1);
      signal.addEventListener("abort", abort, { once: true });
    }),
};

export const BASE = BigInt(Date.parse("2026-03-01T10:00:00Z")) * 1_000_000n;

/** One line at so many nanoseconds after the base. */
export const line = (text: string | Uint8Array, nanos: number | bigint, isPartial = false): Entry => ({
  ...{ time: BASE + BigInt(nanos), text, isPartial },
});

/** A kubelet with no pods. */
export function startKubelet(): Kubelet {
  const attempts: Attempt[] = [];
  const tricks: Trick[] = [];
  const asked: URLSearchParams[] = [];
  const waiters = new Set<() => void>();
  const wake = () => {
    for (const go of [...waiters]) go();
  };

  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, onError: () => new Response() },
    (request) => {
      const url = new URL(request.url);
      asked.push(url.searchParams);
      const name = url.pathname.split("/").at(-2);
      const attempt = attempts.find(({ facts }) => facts.name === name);
      const trick = tricks.shift();
      if (trick?.does === "refuse") return status(trick.code, trick.message);
      if (attempt === undefined) return status(404, `pods "${name}" not found`);
      if (attempt.state === "none") return new Response(null, { status: 204 });
      if (attempt.state === "waiting") {
        return status(
          400,
          `container "main" in pod "${name}" is waiting to start: Pending`,
        );
      }
      return new Response(body(attempt, url.searchParams, trick), { headers: { "content-type": "text/plain" } });
    },
  );

  function body(attempt: Attempt, query: URLSearchParams, trick: Trick | undefined): ReadableStream<Uint8Array> {
    const read = createReadLogs(query);
    let sent = 0, taken = 0, isGone = false;
    let file = attempt.entries;
    return new ReadableStream<Uint8Array>({
      async pull(control) {
        for (;;) {
          if (isGone) return;
          // The file was rotated: go on in the new one.
          if (file !== attempt.entries && taken >= file.length) [file, taken] = [attempt.entries, 0];
          const bytes = read(file.slice(taken), taken === 0);
          taken = file.length;
          const limit = trick && "after" in trick && trick.after !== undefined ? trick.after : Infinity;
          const part = bytes.subarray(0, Math.max(0, limit - sent));
          sent += part.length;
          if (part.length > 0) control.enqueue(part);
          if (trick?.does === "say" && (sent >= limit || limit === Infinity)) {
            control.enqueue(utf8.encode(trick.words));
            return control.close();
          }
          if (sent >= limit && trick?.does === "cut") {
            return trick.clean ? control.close() : control.error(new Error("cut"));
          }
          if (sent >= limit && trick?.does === "silence") {
            await new Promise<void>((resolve) => waiters.add(resolve));
            return;
          }
          if (query.get("follow") !== "true" || attempt.state === "terminated") return control.close();
          if (part.length > 0) return;
          await new Promise<void>((resolve) => waiters.add(resolve));
        }
      },
      cancel() {
        isGone = true;
        wake();
      },
    });
  }

  const url = `http://127.0.0.1:${server.addr.port}`;
  const access = createClusterAccess(
    {
      ...{ server: url, namespace: "jobs", source: "a test" },
      tls: () => Promise.resolve({}),
      token: () => Promise.resolve(undefined),
    },
    { clock, log: () => {}, random: { float: () => 0.5 } },
  );
  const kubelet: Kubelet = {
    ...{ access, attempts, tricks, asked, isOver: false, isDeleted: false },
    attempt(entries, state = "terminated") {
      const at = attempts.length;
      const attempt: Attempt = {
        ...{ entries, state },
        get facts() {
          return factsOf(at, attempt);
        },
        write(...more) {
          attempt.entries.push(...more);
          wake();
        },
        end() {
          attempt.state = "terminated";
          wake();
        },
      };
      attempts.push(attempt);
      return attempt;
    },
    look: () => {
      const { isOver, hasRun, isDeleted } = kubelet;
      if (isDeleted) return Promise.resolve(undefined);
      const pods = attempts.map(({ facts }) => facts);
      return Promise.resolve({ pods, isOver, ...hasRun === undefined ? {} : { hasRun } });
    },
    async close() {
      access.close();
      const stopping = server.shutdown();
      wake();
      await stopping;
    },
  };
  return kubelet;
}

/** What kubelet's ReadLogs writes (k8s.io/cri-client, pkg/logs): state goes on from call to call. */
function createReadLogs(query: URLSearchParams): (entries: Entry[], isStart: boolean) => Uint8Array {
  const sinceText = query.get("sinceTime");
  const since = sinceText === null ? 0n : BigInt(Date.parse(sinceText)) * 1_000_000n;
  if (sinceText !== null && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(sinceText)) throw new Error("whole seconds only");
  const tail = Number(query.get("tailLines") ?? Infinity);
  let isNewLine = true;
  return (entries, isStart) => {
    const parts: Uint8Array[] = [];
    for (const { time, text, isPartial } of isStart && tail < entries.length ? entries.slice(-tail) : entries) {
      const bytes = typeof text === "string" ? utf8.encode(text) : text;
      const isOld = time < since;
      if (!isOld) {
        if (isNewLine) parts.push(utf8.encode(`${stampOf(time)} `));
        parts.push(bytes);
        if (!isPartial) parts.push(NEWLINE);
      }
      isNewLine = !isPartial;
    }
    return joined(parts);
  };
}

/** RFC 3339 with nine digits. */
export function stampOf(time: bigint): string {
  const second = new Date(Number(time / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(time % 1_000_000_000n).padStart(9, "0")}Z`;
}

const utf8 = new TextEncoder();
const NEWLINE = utf8.encode("\n");

function joined(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function factsOf(at: number, { state, neverRan }: Attempt): PodFacts {
  const started = neverRan ? {} : { startedAt: "2026-03-01T10:00:00Z" };
  const main: ContainerFacts | undefined = state === "none"
    ? undefined
    : { name: "main", state, ...state === "waiting" ? {} : started, ...state === "terminated" ? { exitCode: 0 } : {} };
  const phase = state === "terminated" ? "Succeeded" : state === "running" ? "Running" : "Pending";
  return {
    ...{ name: `run-${at}`, uid: `uid-${at}`, deleting: false, phase, image: "", others: [] },
    created: new Date(Number(BASE / 1_000_000n) + at * 100_000).toISOString().slice(0, 19) + "Z",
    ...main ? { main } : {},
  };
}

function status(code: number, message: string): Response {
  const body = {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    message,
    code,
    details: { name: "x", kind: "pods" },
  };
  return Response.json(body, { status: code });
}
