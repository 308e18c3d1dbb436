/**
 * What a run's object and its pods together mean: the state, the times and the reason. Pure, and the same for what a
 * watch saw and for a live look, so that a restart tells the same story.
 *
 * The main container's end decides when no attempt remains, the engine's own verdict where no container ended; what we
 * ended ourselves carries why (engines.md, "States, fast and final").
 */
import { isPartialSuccess } from "../termination.ts";
import type { Diagnostics, Reason, Run, RunState } from "../../../mod/run.ts";
import { engineFailure, failureOf, POD_DELETED, troubleOf } from "./failures.ts";
import { defined, type PodFacts, type RunFacts } from "./facts.ts";

/** What was found out beside the objects: only for runs that failed or do not start. */
export interface Evidence {
  lastLines?: string[];
  /** `reason: message` of the last events, oldest first. */
  events?: string[];
}

/** How a run stands, before it is put into the port's words. */
export interface Standing {
  state: RunState;
  reason?: Reason;
  /** The pod whose end decided, or that the reason is about. */
  pod?: PodFacts;
  startedAt?: string;
  finishedAt?: string;
}

/** How the run stands. `pods` in any order. */
export function standingOf(run: RunFacts, pods: readonly PodFacts[]): Standing {
  const attempts = inOrder(pods);
  const startedAt = attempts.map(({ main }) => main?.startedAt).filter((at) => at !== undefined).sort()[0];
  const since = defined({ startedAt });
  const good = attempts.find(({ main }) => main?.state === "terminated" && main.exitCode === 0);
  if (good) {
    const state = isPartialSuccess(good.main?.message) ? "partialSuccess" : "success";
    return { state, pod: good, ...since, ...defined({ finishedAt: good.main?.finishedAt }) };
  }
  const { endedBy, endedMessage, endedAt, retries } = run.marks;
  const last = attempts.at(-1);
  const isLive = attempts.some((pod) => !hasEnded(pod) || (endedBy === undefined && isUndecided(pod)));
  const engineEnded = run.phase === "succeeded" || run.phase === "failed";
  const failed = attempts.filter(hasEnded).length;
  const exhausted = last !== undefined && !isLive && (failed > retries || endedBy !== undefined);
  // What was told to end is over when its process is; not when the engine has done its part, for a job may ignore SIGTERM.
  const lingers = (endedBy !== undefined || run.shutdown) && !run.marks.removed && attempts.some(isAtWork);
  if ((engineEnded && !lingers) || exhausted) {
    const finishedAt = last?.main?.finishedAt ?? run.finishedAt ?? endedAt;
    const ended = { ...since, ...defined({ pod: last, finishedAt }) };
    if (endedBy === "stop" || (endedBy === undefined && run.shutdown)) {
      return { ...ended, state: "stopped", reason: STOPPED };
    }
    if (endedBy !== undefined) {
      return {
        ...ended,
        state: "failed",
        reason: {
          code: endedBy === "deadline" ? "DeadlineExceeded" : endedBy,
          message: endedMessage ?? "The runner ended it",
        },
      };
    }
    if (run.phase === "succeeded") return { ...ended, state: "success" };
    const reason = last && hasEnded(last) ? failureOf(last) : engineFailure(run.message, run.reason);
    return { ...ended, state: "failed", reason };
  }
  const note = endedBy === undefined ? noteOf(run, attempts) : undefined;
  if (startedAt !== undefined) return { state: "running", ...since, ...defined({ reason: note, pod: last }) };
  return { state: "queued", ...defined({ reason: note, pod: last }) };
}

/** The port's view. Times are the cluster's own, only put into order. */
export function viewOf(run: RunFacts, standing: Standing, evidence: Evidence = {}): Run {
  const { marks } = run;
  const { state, reason } = standing;
  const received = marks.received, accepted = marks.accepted;
  // The cluster writes whole seconds, we milliseconds; stages never go back.
  const created = latest(run.created, received, accepted);
  const started = standing.startedAt && latest(standing.startedAt, created);
  const isOver = state !== "queued" && state !== "running";
  const finished = isOver ? latest(standing.finishedAt ?? created, created, started) : undefined;
  return {
    runId: marks.runId ?? run.uid,
    pipelineId: marks.pipelineId,
    revision: marks.revision,
    kind: marks.jobKind,
    origin: marks.origin,
    ...defined({ scheduledAt: marks.scheduledAt }),
    state,
    times: defined({ received, accepted, created, started, finished }),
    ...defined({ reason, diagnostics: state === "failed" ? diagnosticsOf(standing, run, evidence) : undefined }),
  };
}

/** With what events told of a run that waits and whose pod says nothing itself. */
export function withNote(standing: Standing, trouble: Reason | undefined): Standing {
  if (standing.state !== "queued" || standing.reason !== undefined || trouble === undefined) return standing;
  return { ...standing, reason: { code: trouble.code, message: trouble.message } };
}

/** True for a pod that will do no more. */
export function hasEnded(pod: PodFacts): boolean {
  return pod.phase === "Failed" || pod.phase === "Succeeded" || pod.main?.state === "terminated";
}

/** True for a pod whose volumes are there: a container has begun, or says itself what keeps it from it. */
export function hasBegun({ startTime, resolve, main, others }: PodFacts): boolean {
  return startTime !== undefined &&
    [resolve, main, ...others].some((container) =>
      container !== undefined && (container.state !== "waiting" || !BEING_MADE.includes(container.reason ?? ""))
    );
}

const BEING_MADE = ["", "ContainerCreating", "PodInitializing"];

function isAtWork(pod: PodFacts): boolean {
  return pod.main?.state === "running" && !hasEnded(pod);
}

/**
 * A process that was killed from outside while its pod is not yet done: the pod will say why (evicted, past its
 * deadline, its node going away), a moment later.
 */
function isUndecided({ phase, main }: PodFacts): boolean {
  if (phase === "Failed" || phase === "Succeeded" || main?.state !== "terminated") return false;
  return (main.exitCode === 137 || main.exitCode === 143) && main.reason !== "OOMKilled";
}

/** How a run ended whose object is no more, at the time when that was seen. */
export function deletedStanding({ marks }: RunFacts, { startedAt }: Standing, finishedAt: string): Standing {
  const reason = { code: "deleted", message: "The run's object was deleted before the run had ended" };
  const ended: Standing = marks.endedBy === "stop"
    ? { state: "stopped", reason: STOPPED }
    : { state: "failed", reason };
  return { ...ended, finishedAt, ...defined({ startedAt }) };
}

/**
 * What counts of a pod that is gone: its end if it had one, a failed attempt if it was taken away while it ran, nothing
 * if it never started (the engine makes another).
 */
export function whatIsLeft(pod: PodFacts): PodFacts | undefined {
  if (hasEnded(pod)) return pod;
  return pod.main?.startedAt === undefined ? undefined : { ...pod, phase: "Failed", reason: POD_DELETED };
}

/** Pods as attempts, the oldest first. */
export function inOrder(pods: readonly PodFacts[]): PodFacts[] {
  return pods.toSorted((a, b) => a.created === b.created ? (a.name < b.name ? -1 : 1) : a.created < b.created ? -1 : 1);
}

const STOPPED: Reason = { code: "Stopped", message: "A stop was asked" };

function noteOf(run: RunFacts, attempts: readonly PodFacts[]): Reason | undefined {
  if (run.phase === "held") {
    return { code: "WaitingForMutex", message: run.message ?? "Waiting for another run of the same pipeline" };
  }
  const live = attempts.findLast((pod) => !hasEnded(pod));
  const trouble = live && troubleOf(live);
  if (trouble) return { code: trouble.code, message: trouble.message };
  const failed = attempts.filter(hasEnded);
  const lastFailed = failed.at(-1);
  if (lastFailed === undefined || live?.main?.state === "running" || failed.length > run.marks.retries) {
    return undefined;
  }
  const why = failureOf(lastFailed);
  const message = `Attempt ${failed.length} of ${run.marks.retries + 1} failed: ${why.message}`;
  return { code: "Retrying", message: message.slice(0, 4000) };
}

function diagnosticsOf({ pod }: Standing, run: RunFacts, { lastLines, events }: Evidence): Diagnostics {
  const main = pod?.main;
  const exited = main?.state === "terminated" ? main : undefined;
  const facts: Record<string, string | undefined> = {
    pod: pod?.name,
    node: pod?.node,
    podPhase: pod?.phase,
    podReason: pod?.reason,
    container: main && [main.state, main.reason].filter(Boolean).join(": "),
    image: pod?.image || undefined,
    attempts: run.marks.retries > 0 ? `of ${run.marks.retries + 1}` : undefined,
    engine: [run.reason, run.message].filter(Boolean).join(": ") || undefined,
    events: events && events.length > 0 ? events.join("; ") : undefined,
  };
  // These change while the engine and the pod make up their minds; where a container decided they are of no interest.
  if (exited) facts.engine = facts.podPhase = undefined;
  return defined({
    exitCode: exited?.exitCode,
    lastLines,
    facts: defined(facts) as Record<string, string>,
  });
}

function latest(...times: (string | undefined)[]): string {
  return new Date(Math.max(...times.map((text) => text === undefined ? 0 : Date.parse(text)))).toISOString();
}
