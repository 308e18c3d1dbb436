/** What is looked up beside the objects, only for runs that fail or do not start: last log lines, last events. */
import * as z from "zod/mini";
import { asFault } from "../../../mod/fault.ts";
import type { Clock, Log } from "../../../mod/ports.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import { MAIN, RESOLVE } from "../pod/names.ts";
import { EVENTS, PODS } from "./kinds.ts";
import type { Dialect } from "./dialect.ts";
import type { RunFacts } from "./facts.ts";
import type { Evidence, Standing } from "./view.ts";

/** Where to look. */
export interface EvidenceOptions {
  access: ClusterAccess;
  namespace: string;
  dialect: Pick<Dialect, "ownLines">;
  clock: Clock;
  log: Log;
}

const TAIL_LINES = 20;
/** So many more are asked for, since some may be the engine's own. */
const OWN_LINES = 5;
const TAIL_BYTES = 256 * 1024;
/** The end of a run is not held up for longer than this. */
const PATIENCE_MS = 5_000;
const MOST_EVENTS = 10;

const Event = z.object({
  type: z.optional(z.string()),
  reason: z.optional(z.string()),
  message: z.optional(z.string()),
  lastTimestamp: z.nullish(z.string()),
  eventTime: z.nullish(z.string()),
  metadata: z.object({ creationTimestamp: z.nullish(z.string()) }),
});

/** What explains a failed run. What cannot be read is left out and logged: it must not keep the end from being told. */
export async function evidenceOf(
  run: RunFacts,
  { pod, reason }: Standing,
  options: EvidenceOptions,
  signal: AbortSignal,
): Promise<Evidence> {
  const late = new AbortController();
  const timer = options.clock.sleep(PATIENCE_MS, AbortSignal.any([signal, late.signal])).then(
    () => late.abort(new Error("it took too long")),
    () => {},
  );
  const within = AbortSignal.any([signal, late.signal]);
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      options.log("debug", "evidence.missing", { runId: run.marks.runId ?? run.uid, reason: what, error });
      return undefined;
    }
  };
  const ran = pod?.main?.state === "terminated" && pod.main.startedAt !== undefined;
  const container = ran ? MAIN : pod?.resolve?.state === "terminated" ? RESOLVE : undefined;
  // A process that ended by itself explains itself; anything else is explained by what the cluster did.
  const tellsItself = ran && (reason?.code === "NonZeroExit" || reason?.code === "OOMKilled");
  const [lastLines, events] = await Promise.all([
    pod && container ? attempt("last lines", () => tail(options, pod.name, container, within)) : undefined,
    tellsItself ? undefined : attempt("events", () => eventsOf(options, [pod?.uid, run.uid], within)),
  ]);
  late.abort(new Error("done"));
  await timer;
  return { ...lastLines ? { lastLines } : {}, ...events ? { events } : {} };
}

/**
 * The last events about these objects as `reason: message`, each once, oldest first; only the warnings if so asked.
 * Faults: those of the access.
 */
export async function eventsOf(
  { access, namespace }: Pick<EvidenceOptions, "access" | "namespace">,
  uids: readonly (string | undefined)[],
  signal: AbortSignal,
  { warnings = false } = {},
): Promise<string[]> {
  const found: { at: string; text: string }[] = [];
  for (const uid of uids) {
    if (uid === undefined) continue;
    const target = { ...EVENTS, namespace };
    for await (const object of access.list(target, { fieldSelector: `involvedObject.uid=${uid}` }, signal)) {
      const read = Event.safeParse(object);
      if (!read.success) continue;
      if (warnings && read.data.type !== "Warning") continue;
      const { reason = "", message = "", lastTimestamp, eventTime, metadata } = read.data;
      const at = lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "";
      found.push({ at, text: `${reason}: ${message.replace(/\s+/g, " ").trim()}`.slice(0, 1000) });
    }
  }
  found.sort((a, b) => a.at < b.at ? -1 : 1);
  return [...new Set(found.map(({ text }) => text))].slice(-MOST_EVENTS);
}

async function tail(
  { access, namespace, dialect }: EvidenceOptions,
  name: string,
  container: string,
  signal: AbortSignal,
): Promise<string[]> {
  const target = { ...PODS, namespace, name, subresource: "log" };
  const own = new AbortController();
  try {
    const query = { container, tailLines: TAIL_LINES + OWN_LINES, limitBytes: TAIL_BYTES };
    const body = await access.open("get", target, query, AbortSignal.any([signal, own.signal]));
    const text = await new Response(body).text();
    if (text === "") return [];
    const isOwn = dialect.ownLines();
    const lines = text.replace(/\n$/, "").split("\n").filter((line) => !isOwn(line));
    return lines.slice(-TAIL_LINES).map((line) => line.slice(0, 4096));
  } catch (error) {
    throw asFault(error, `read the last lines of pod ${name}`);
  } finally {
    own.abort();
  }
}
