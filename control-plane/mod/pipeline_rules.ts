/** What a runner's word about its pipelines does to ours, without any I/O. */
import type { PipelineSummary } from "../../mod/protocol/methods.ts";
import { LAST_REVISION } from "../../mod/run.ts";
import type { PipelineRecord } from "./records.ts";

export type Verdict = "keep" | "deploy" | "delete";

/**
 * The revision after this one. Behind the last there is none: the runner then finds another content under the same
 * number, and its refusal is shown.
 */
export function risen(revision: number): number {
  return Math.min(revision + 1, LAST_REVISION);
}

/** A pipeline that the runner's snapshot shows. `record` is undefined where we never heard of it. */
export function judgeShown(
  agentId: string,
  record: PipelineRecord | undefined,
  shown: PipelineSummary,
): { record: PipelineRecord; verdict: Verdict } {
  if (record === undefined) {
    const { pipelineId, revision } = shown;
    return { verdict: "keep", record: { pipelineId, agentId, revision, known: shown, deployment: "deployed" } };
  }
  const known = { ...record, known: shown };
  if (record.deployment === "deleting" || record.deployment === "deleted") {
    const revision = Math.max(record.revision, shown.revision >= record.revision ? risen(shown.revision) : 0);
    return { verdict: "delete", record: { ...known, revision, change: "delete", deployment: "deleting" } };
  }
  if (shown.revision > record.revision) {
    // The runner saw revisions that we lost (a restore). A change of ours that waits must come after them.
    if (record.change === undefined) return { verdict: "keep", record: deployed(known, shown.revision) };
    return { verdict: "deploy", record: { ...known, change: "deploy", revision: risen(shown.revision) } };
  }
  if (shown.revision === record.revision && record.change === undefined && record.deployment === "pending") {
    // A restored database could not know: now the runner has told.
    return { verdict: "keep", record: deployed(known, record.revision) };
  }
  // Equal while a change waits: it may be the same one, or another's; the command itself finds out.
  if (shown.revision === record.revision) return { verdict: "keep", record: known };
  if (record.job === undefined) return { verdict: "keep", record: known };
  return { verdict: "deploy", record: { ...known, change: "deploy", deployment: "pending" } };
}

/** A pipeline of ours that the complete snapshot does not show; undefined: it is to be forgotten. */
export function judgeMissing(record: PipelineRecord): { record: PipelineRecord; verdict?: Verdict } | undefined {
  const { known: _known, ...unknown } = record;
  if (record.deployment === "deleted") return { record };
  if (record.deployment === "deleting") return { record: deleted(unknown) };
  // It was the runner's alone, and the runner has it no more.
  if (record.job === undefined) return undefined;
  return { verdict: "deploy", record: { ...unknown, change: "deploy", deployment: "pending" } };
}

/** The record in a database that was restored: what the runner really has is known once it has told. */
export function restored(record: PipelineRecord): PipelineRecord {
  if (record.deployment !== "deployed") return record;
  return {
    ...record,
    deployment: "pending",
    message: "Restored from a backup: the runner has not told yet what it has",
  };
}

/** The record once a change was carried out. */
export function deployed(record: PipelineRecord, revision: number): PipelineRecord {
  const { change: _change, message: _message, ...rest } = record;
  return { ...rest, revision, deployment: "deployed" };
}

/** The record once a deletion was carried out: kept, so that an old snapshot cannot bring the pipeline back. */
export function deleted(record: PipelineRecord): PipelineRecord {
  const { change: _change, message: _message, known: _known, ...rest } = record;
  return { ...rest, deployment: "deleted" };
}
