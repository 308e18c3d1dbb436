/**
 * What is sent to a runner, and what its answers do. There is no queue: what a pipeline or run still needs stands in
 * its record, and is read anew before each command, so that nothing superseded is ever sent again.
 */
import { asFault, Fault, type FaultCode, isFault } from "../../mod/fault.ts";
import type { Params, Result, ToRunner } from "../../mod/protocol/methods.ts";
import type { Core } from "./core.ts";
import { type Lane, type Outcome, retryMs } from "./lanes.ts";
import type { Pipelines } from "./pipelines.ts";
import type { PipelineRecord, RunRecord, StartCommand } from "./records.ts";
import { ended, waitsToStart } from "./run_rules.ts";
import type { Session } from "./runners.ts";
import type { Runs } from "./runs.ts";

/** A runner ends the pipeline's runs and tells them before it takes the pipeline away. */
const DELETE_TIMEOUT_MS = 120_000;
/** After these nothing else would come of trying again. Everything else is tried again. */
const FINAL: readonly FaultCode[] = ["denied", "invalid", "not_found", "conflict"];

/** So often a change gets a higher revision before the runner's conflict is taken for its last word. */
const MOST_CONFLICTS = 3;

const MORE: Outcome = { next: "more" };
const IDLE: Outcome = { next: "idle" };

/** The lanes that what is on record for this runner needs. */
export async function lanesOf({ storage }: Core, agentId: string): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for (const { pipelineId, change } of await storage.pipelines({ agentId })) {
    if (change !== undefined) lanes.push({ kind: "pipeline", id: pipelineId });
  }
  for (const run of await storage.openRuns(agentId)) {
    if (run.stopRequestedAt !== undefined) lanes.push({ kind: "stop", id: run.runId });
    else if (run.start?.answered === false) lanes.push(laneOf(run));
  }
  return lanes;
}

/** Starts of one pipeline's runs follow its changes; a run with its own job has its own lane. */
export function laneOf({ runId, pipelineId, start }: RunRecord): Lane {
  return start?.method === "pipeline.run" ? { kind: "pipeline", id: pipelineId } : { kind: "run", id: runId };
}

/** Makes the step function for one term of one active session. */
export function createCommands(
  { core, runs, pipelines, session }: { core: Core; runs: Runs; pipelines: Pipelines; session: Session },
): (lane: Lane, attempt: number, signal: AbortSignal) => Promise<Outcome> {
  const { storage, clock, log } = core;
  const { peer, agentId } = session;
  /** Starts that are under way on this link: their own answer tells what a stop met. */
  const starting = new Set<string>();
  /** Stops that were answered, and whether the runner then knew the run. */
  const stopped = new Map<string, boolean>();
  /** Conflicts in a row by pipeline: each is settled by a higher revision, but not for ever. */
  const conflicts = new Map<string, number>();

  return async (lane, attempt, signal) => {
    if (lane.kind === "stop") return await stop(lane.id, attempt, signal);
    if (lane.kind === "run") return await startNext(await storage.run(lane.id), attempt, signal);
    const record = await storage.pipeline(lane.id);
    if (record?.agentId === agentId && record.change !== undefined) return await change(record, attempt, signal);
    return await startNext(await storage.nextStart(agentId, lane.id), attempt, signal);
  };

  async function change(record: PipelineRecord, attempt: number, signal: AbortSignal): Promise<Outcome> {
    const { pipelineId, revision } = record;
    try {
      await pipelines.changed(pipelineId, revision, await sendChange(record, signal));
      conflicts.delete(pipelineId);
      return MORE;
    } catch (error) {
      if (signal.aborted) throw error;
      const fault = asFault(error, `change the pipeline ${pipelineId}`);
      log("warn", "pipeline.not_changed", { agentId, pipelineId, revision, code: fault.code, reason: fault.message });
      return await changeRefused(record, fault, attempt, signal);
    }
  }

  async function sendChange(record: PipelineRecord, signal: AbortSignal) {
    const { pipelineId, revision, job } = record;
    if (record.change === "delete") {
      await peer.request("pipeline.delete", { pipelineId, revision }, { signal, timeoutMs: DELETE_TIMEOUT_MS });
      return undefined;
    }
    const enabled = job?.enabled ?? record.known?.enabled ?? false;
    if (record.change === "toggle" || job === undefined) {
      return await peer.request("pipeline.toggle", { pipelineId, revision, enabled }, { signal });
    }
    return await peer.request("pipeline.deploy", { revision, job: { ...job, revision } }, { signal });
  }

  async function changeRefused(
    record: PipelineRecord,
    fault: Fault,
    attempt: number,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { pipelineId, revision, job } = record;
    if (record.change === "delete" && fault.code === "not_found") {
      await pipelines.changed(pipelineId, revision, undefined);
      return MORE;
    }
    const isBehind = fault.code === "conflict" || (record.change === "toggle" && fault.code === "not_found");
    const before = conflicts.get(pipelineId) ?? 0;
    if (isBehind && before < MOST_CONFLICTS && (job !== undefined || fault.code === "conflict")) {
      // The runner has a newer revision, or another content under this number (a restore), or not the pipeline at all.
      const { pipeline } = await peer.request("pipeline.status", { pipelineId }, { signal });
      await pipelines.raise(pipelineId, pipeline?.revision ?? 0);
      conflicts.set(pipelineId, before + 1);
      return { next: "retry", afterMs: 0 };
    }
    await pipelines.refused(pipelineId, revision, fault.message, FINAL.includes(fault.code));
    if (FINAL.includes(fault.code)) conflicts.delete(pipelineId);
    return FINAL.includes(fault.code) ? MORE : again(fault, attempt);
  }

  async function startNext(run: RunRecord | undefined, attempt: number, signal: AbortSignal): Promise<Outcome> {
    if (run === undefined || run.start === undefined || !waitsToStart(run)) return IDLE;
    const { runId } = run;
    starting.add(runId);
    try {
      await sendStart(run, run.start, signal);
      await runs.startAnswered(runId);
      return MORE;
    } catch (error) {
      if (signal.aborted) throw error;
      const fault = asFault(error, `start the run ${runId}`);
      log("warn", "run.not_started", { agentId, runId, code: fault.code, reason: fault.message });
      if (FINAL.includes(fault.code)) {
        await runs.end(runId, "failed", fault.code, fault.message);
        return MORE;
      }
      if (stopped.get(runId) === false) {
        // A stop came in between, and relied on this start's answer to tell the end: there is none now.
        stopped.delete(runId);
        await runs.stopAnswered(runId, false);
        return MORE;
      }
      if (clock.now() < Date.parse(run.start.notAfter)) return again(fault, attempt);
      // Too late to begin. Should the runner have begun it after all, the stop on record ends it.
      await runs.end(runId, "failed", fault.code, fault.message, { stop: true });
      return MORE;
    } finally {
      starting.delete(runId);
    }
  }

  function sendStart(
    { runId, pipelineId }: RunRecord,
    { method, notAfter, job }: StartCommand,
    signal: AbortSignal,
  ): Promise<Result<ToRunner, "pipeline.run">> {
    if (method === "canary.run") return peer.request(method, { runId, notAfter }, { signal });
    // Without a revision: the lane has brought every change before it, and a toggle's number is no deployed one.
    if (method === "pipeline.run") return peer.request(method, { runId, pipelineId, notAfter }, { signal });
    if (job === undefined) throw new Fault("internal", `Cannot start the run ${runId}: its job is not on record`);
    return peer.request(method, { runId, notAfter, job }, { signal });
  }

  async function stop(runId: string, attempt: number, signal: AbortSignal): Promise<Outcome> {
    const run = await storage.run(runId);
    if (run === undefined || run.stopRequestedAt === undefined || ended(run) || stopped.has(runId)) return IDLE;
    // A stop is remembered by the runner for as long as its start could still come.
    const notAfter = run.start?.notAfter ??
      new Date(clock.now() + session.hello.objectLifeSeconds * 1000).toISOString();
    try {
      const { state } = await peer.request("run.stop", { runId, notAfter } satisfies Params<ToRunner, "run.stop">, {
        signal,
      });
      stopped.set(runId, state !== undefined);
      await runs.stopAnswered(runId, isBegun(run, state !== undefined));
      return IDLE;
    } catch (error) {
      if (signal.aborted) throw error;
      const fault = asFault(error, `stop the run ${runId}`);
      log("warn", "run.not_stopped", { agentId, runId, code: fault.code, reason: fault.message });
      if (!FINAL.includes(fault.code)) return again(fault, attempt);
      stopped.set(runId, false);
      if (isFault(fault, "not_found")) await runs.stopAnswered(runId, isBegun(run, false));
      return IDLE;
    }
  }

  /** A start that was answered, or is under way, is told of by the runner; one that never will be sent is not. */
  function isBegun(run: RunRecord, isKnown: boolean): boolean {
    return isKnown || starting.has(run.runId) || run.start?.answered !== false;
  }
}

function again(fault: Fault, attempt: number): Outcome {
  const asked = fault.details.retryAfterSeconds;
  return { next: "retry", afterMs: asked === undefined ? retryMs(attempt) : Math.min(asked, 60) * 1000 };
}
