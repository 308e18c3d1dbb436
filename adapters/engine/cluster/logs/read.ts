/**
 * Reads the log of a run whose attempts are pods. The kubelet is asked again from the last line whenever a request
 * ends: because the container ended, the log was rotated, the API server was restarted, or the link went dead. None of
 * these can be told from another (the API server ends a broken answer like a whole one), so a log counts as read to
 * its end only when two requests in a row, made after the container had ended, found the same end.
 */
import { Fault, type FaultCode, isFault } from "../../../../mod/fault.ts";
import type { Clock, Log, LogOptions, LogPiece } from "../../../../mod/ports.ts";
import type { ClusterAccess } from "../../../cluster/port.ts";
import type { LogArchive } from "./archive.ts";
import type { PodFacts } from "../facts.ts";
import { readArchived } from "./read_archive.ts";
import { ARCHIVE, formatCursor, parseCursor, type Position } from "./cursor.ts";
import { type PassEnd, readPass, type Settled } from "./pass.ts";
import { DISORDER_MS, type WhenLater } from "./track.ts";

/** The log of one run. */
export interface RunLogSource {
  /** For messages. */
  runId: string;
  access: ClusterAccess;
  /** The pods'. */
  namespace: string;
  /** A live look; undefined when the run's object is gone. */
  look(signal: AbortSignal): Promise<RunLogLook | undefined>;
  clock: Clock;
  log: Log;
  /** Where the log may be when the cluster no longer has it. */
  archive?: LogArchive;
  /** Limit of silence before the link is given up, milliseconds; a minute if not said. */
  silenceMs?: number;
}

/** What decides whether more of a log may come. */
export interface RunLogLook {
  /** One of each attempt, the oldest first. */
  pods: readonly PodFacts[];
  /** The run's state is final. */
  isOver: boolean;
  /** False where no attempt ever came to run, so that there never was a log. Without pods, true if not said. */
  hasRun?: boolean;
}

const SILENCE_MS = 60_000;
/** A log that is not there although its container ended: asked so often, since the kubelet may be restarting. */
const MISSING_TRIES = 4;
/** A way that stays broken: asked so often, about half a minute, where nothing is being followed. */
const FAILED_TRIES = 10;
/** The runtime may still be writing what it had in hand when the container ended; on a busy node it was seen late. */
const SETTLE_MS = 1000;
const FRESH_MS = 15_000;
/** What asking again does not change. */
const PERMANENT: ReadonlySet<FaultCode> = new Set<FaultCode>(["denied", "conflict", "internal"]);
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/**
 * Pieces of whole lines; the last line counts without newline when its container has ended. Faults: `not_found` (no
 * such run), `invalid` (the cursor), `denied`, and `unavailable` where the log stays out of reach.
 */
export async function* readRunLog(
  source: RunLogSource,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogPiece> {
  signal.throwIfAborted();
  let at = parseCursor(source.runId, options.cursor);
  if (at.attempt === ARCHIVE) return yield* whenGone(source, at, signal);
  const done = new Set<string>();
  const tries = createTries(source, signal);
  let settled: Settled | undefined;
  let whenLater: WhenLater = "stop";
  let isLost = false, isKnown = false;
  for (;;) {
    const look = await source.look(signal).catch((error) => tries.failed(error, options.follow));
    if (look === "again") continue;
    if (look === undefined) {
      if (!isKnown && source.archive === undefined) throw unknownRun(source);
      return yield* whenGone(source, at, signal, !isKnown);
    }
    isKnown = true;
    const { pods, isOver } = look;
    const pod = pods.find((pod) => isNext(pod, pods, at, done) && hasLog(pod, isOver));
    const isVanished = at.attempt !== "" && !done.has(at.attempt) && !pods.some(({ uid }) => uid === at.attempt);

    if (pod?.main === undefined || pod.main.state === "waiting") {
      if (isOver) {
        const isGone = isLost || isVanished || (pods.length === 0 && done.size === 0 && look.hasRun !== false);
        if (isGone) return yield* whenGone(source, at, signal);
        return yield { kind: "end", reason: "finished", cursor: formatCursor(at) };
      }
      if (!options.follow) return yield { kind: "end", reason: "not-following", cursor: formatCursor(at) };
      await tries.pause();
      continue;
    }
    if (pod.uid !== at.attempt) {
      const next = { attempt: pod.uid, stamp: "", lines: 0, total: at.total };
      if (isLost || isVanished) yield { kind: "gap", from: formatCursor(at), to: formatCursor(next) };
      at = next;
      isLost = false;
      whenLater = "stop";
      settled = undefined;
    }
    const hasEnded = pod.main.state === "terminated";
    const follow = options.follow && !hasEnded && whenLater !== "search";
    const { access, namespace, silenceMs = SILENCE_MS } = source;
    const before = formatCursor(at);
    const pass = { access, namespace, pod: pod.name, follow, from: at, whenLater, silenceMs };
    const end: PassEnd = yield* readPass({ ...pass, ...hasEnded && settled ? { settled } : {} }, signal);
    at = end.at;
    if (formatCursor(at) !== before) tries.forget();
    // What agrees must come in a row.
    if (end.kind !== "read") settled = undefined;
    switch (end.kind) {
      case "read":
        if (end.isMissed) {
          whenLater = whenLater === "stop" ? "search" : "gap";
          break;
        }
        whenLater = "stop";
        if (!hasEnded) {
          if (!options.follow) return yield { kind: "end", reason: "not-following", cursor: formatCursor(at) };
          await tries.pause();
        } else if (end.agreed) {
          done.add(pod.uid);
          settled = undefined;
          tries.forget();
        } else {
          settled = { cursor: formatCursor(at), rest: end.rest };
          if (isFresh(pod, source.clock)) await source.clock.sleep(SETTLE_MS, signal);
        }
        break;
      case "missing": {
        const mayCome = !hasEnded && options.follow && !isOver;
        if (mayCome || tries.count() < MISSING_TRIES) {
          await tries.failed(end.fault, true);
          break;
        }
        if (!hasEnded && !isOver) return yield { kind: "end", reason: "not-following", cursor: formatCursor(at) };
        source.log("debug", "log.missing", { runId: source.runId, reason: end.fault.message });
        done.add(pod.uid);
        isLost = hadRun(pod);
        tries.forget();
        break;
      }
      case "failed":
        await tries.failed(end.fault, options.follow && !isOver);
    }
  }
}

/** Not read yet, and none before the place where the reader stands. */
function isNext({ uid, created }: PodFacts, pods: readonly PodFacts[], at: Position, done: Set<string>): boolean {
  if (done.has(uid)) return false;
  const current = pods.findIndex((pod) => pod.uid === at.attempt);
  if (current >= 0) return pods.findIndex((pod) => pod.uid === uid) >= current;
  // The attempt that was read is no more: the next one was made after its last line.
  return at.stamp === "" || Date.parse(created) + DISORDER_MS > Date.parse(at.stamp);
}

/** False for an attempt that ended before its main container was made, and for one that never will be. */
function hasLog({ main, phase }: PodFacts, isOver: boolean): boolean {
  if (main !== undefined && main.state !== "waiting") return true;
  return !isOver && phase !== "Failed" && phase !== "Succeeded";
}

/** A container that could not be started has no log to lose; of one whose status the kubelet lost nobody knows. */
function hadRun({ main }: PodFacts): boolean {
  return main?.startedAt !== undefined || main?.reason === "ContainerStatusUnknown";
}

/** Ended just now; by the node's clock, which may differ by as much from ours either way. */
function isFresh({ main }: PodFacts, clock: Clock): boolean {
  return main?.finishedAt === undefined || Math.abs(clock.now() - Date.parse(main.finishedAt)) < FRESH_MS;
}

/** From the archive, or the end that says so. */
async function* whenGone(
  source: RunLogSource,
  at: Position,
  signal: AbortSignal,
  isUnknown = false,
): AsyncGenerator<LogPiece, void> {
  const found = source.archive && (yield* readArchived(source.archive, at, signal));
  if (found) return;
  if (isUnknown) throw unknownRun(source);
  const message = source.archive ? `the cluster has it no more, nor has ${source.archive.place}` : undefined;
  yield { kind: "end", reason: "gone", cursor: formatCursor(at), ...message ? { message } : {} };
}

function unknownRun({ runId }: RunLogSource): Fault {
  return new Fault("not_found", `Cannot read the log of run ${runId}: there is no such run`);
}

/** Pauses that grow while nothing comes, and an end to patience. */
function createTries({ clock, log, runId }: RunLogSource, signal: AbortSignal) {
  let pauses = 0, failures = 0;
  const pause = async () => {
    await clock.sleep(Math.min(FIRST_PAUSE_MS * 1.5 ** pauses++, LONGEST_PAUSE_MS), signal);
  };
  return {
    pause,
    forget() {
      pauses = 0;
      failures = 0;
    },
    count: () => ++failures,
    /** Waits before the next try; throws what asking again cannot change, and the rest when patience is over. */
    async failed(error: unknown, isPatient: boolean): Promise<"again"> {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      if (PERMANENT.has(error.code) || (!isPatient && ++failures >= FAILED_TRIES)) throw error;
      log("debug", "log.retry", { runId, reason: error.message });
      await pause();
      return "again";
    },
  };
}
