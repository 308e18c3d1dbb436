/**
 * What a told status does to a run, without any I/O. A rank never goes back, the first terminal state is final, a
 * note changes reason and diagnostics only, and a rank that was overtaken is still kept: the times tell it.
 */
import { slotRunId } from "../../mod/names.ts";
import type { RunStatus } from "../../mod/protocol/methods.ts";
import { isTerminal, RANK, type RunState, type RunTimes } from "../../mod/run.ts";
import type { RunRecord, StatusRecord } from "./records.ts";

/** A run's state as told, or as judged here. */
export type Told = Pick<RunStatus, "state" | "note" | "times" | "reason" | "diagnostics">;

/** The run after a status. Returns the same record where the status changes nothing. */
export function applyStatus(run: RunRecord, told: Told): RunRecord {
  if (ended(run)) return run;
  const times = mergeTimes(run.times, told.times);
  const rank = RANK[told.state], current = run.state === undefined ? 0 : RANK[run.state];
  const isNewer = rank > current || (rank === current && told.note > run.note);
  // Overtaken by a higher rank or a newer note: only times that were not known yet are news.
  if (!isNewer) return { ...run, times };
  const { reason: _reason, diagnostics: _diagnostics, ...rest } = run;
  return {
    ...rest,
    state: told.state,
    note: told.note,
    times,
    ...told.reason === undefined ? {} : { reason: told.reason },
    ...told.diagnostics === undefined ? {} : { diagnostics: told.diagnostics },
  };
}

/** True for a note on a rank that was overtaken, or older than the one that is known: it says nothing any more. */
export function isPast(run: Pick<RunRecord, "state" | "note">, { state, note }: Pick<Told, "state" | "note">): boolean {
  if (note === 0 || run.state === undefined) return false;
  return RANK[state] < RANK[run.state] || (RANK[state] === RANK[run.state] && note < run.note);
}

/** The status as it is written down. */
export function statusRecord(runId: string, told: Told, recordedAt: string): StatusRecord {
  const { state, note, times, reason, diagnostics } = told;
  return {
    runId,
    rank: RANK[state],
    note,
    state,
    recordedAt,
    times,
    ...reason === undefined ? {} : { reason },
    ...diagnostics === undefined ? {} : { diagnostics },
  };
}

/** A snapshot shows a run's newest state only; the ranks below it are told by its times. */
export function statusesOf(told: Told): Told[] {
  const { times } = told;
  const steps: Told[] = [];
  const asked = times.received ?? times.accepted ?? times.created;
  if (RANK[told.state] > RANK.queued && asked !== undefined) {
    steps.push({ state: "queued", note: 0, times: timesUpTo(times, ["received", "accepted", "created"]) });
  }
  if (RANK[told.state] > RANK.running && times.started !== undefined) {
    steps.push({ state: "running", note: 0, times: timesUpTo(times, ["received", "accepted", "created", "started"]) });
  }
  return [...steps, told];
}

/** True once the run has a terminal state. */
export function ended(run: { state?: RunState | undefined }): boolean {
  return run.state !== undefined && isTerminal(run.state);
}

/** True if the runId is made of this runner's own slot, as every runner makes it: a proof that it is nobody else's. */
export function isOwnSlot(
  agentId: string,
  { runId, pipelineId, scheduledAt }: Pick<RunStatus, "runId" | "pipelineId" | "scheduledAt">,
): boolean {
  if (scheduledAt === undefined) return false;
  return runId === slotRunId(agentId, pipelineId, new Date(scheduledAt).toISOString());
}

/** True while the command that starts the run is still to be sent. */
export function waitsToStart(run: Pick<RunRecord, "start" | "stopRequestedAt" | "state">): boolean {
  return run.start?.answered === false && run.stopRequestedAt === undefined && !ended(run);
}

/** The first told time of a stage stays: what was shown once does not move. */
function mergeTimes(known: RunTimes, told: RunTimes): RunTimes {
  return { ...told, ...known };
}

function timesUpTo(times: RunTimes, stages: readonly (keyof RunTimes)[]): RunTimes {
  return Object.fromEntries(stages.flatMap((stage) => times[stage] === undefined ? [] : [[stage, times[stage]]]));
}
