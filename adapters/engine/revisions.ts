/** The rules of revisions and slots, shared by the engines that keep their pipelines themselves. Pure. */
import * as z from "zod/mini";
import { Fault } from "../../mod/fault.ts";
import { Job } from "../../mod/job.ts";
import type { PipelineView } from "../../mod/ports.ts";
import { parseSchedule } from "../../mod/schedule.ts";

/** A pipeline as such an engine keeps it. */
export const HeldPipeline = z.object({
  pipelineId: z.string(),
  revision: z.int(),
  deployedRevision: z.int(),
  /** Of the job in force: tells a repeated deploy from another content under the same revision. */
  digest: z.string(),
  job: Job,
  enabled: z.boolean(),
  /** Slots up to this time (ms since the epoch) are dealt with. */
  slotsFrom: z.number(),
  lastRunAt: z.optional(z.string()),
});
/** A pipeline as such an engine keeps it. */
export type HeldPipeline = z.infer<typeof HeldPipeline>;

/** Where such an engine keeps them. */
export interface PipelineStore {
  /** The pipeline as it is now; undefined if it is not deployed. */
  read(pipelineId: string): Promise<HeldPipeline | undefined>;
  /** All that can be read; what cannot is told in the log. */
  all(): Promise<HeldPipeline[]>;
  /** Replaces the pipeline as a whole. */
  save(held: HeldPipeline): Promise<void>;
  /** Takes the pipeline away; nothing there is a success. */
  remove(pipelineId: string): Promise<void>;
}

/** How late a slot may still be minted; an older one is told as missed. */
export const LATENESS_MS = 10_000;

/** The pipeline after `deploy`. Faults: `conflict`, `invalid` (schedule, time zone). */
export function deployed(held: HeldPipeline | undefined, job: Job, digest: string, now: number): HeldPipeline {
  if (job.schedule !== undefined) parseSchedule(job.schedule, job.timezone);
  if (held !== undefined && job.revision <= held.revision) {
    refuseOlder("deploy", job.pipelineId, job.revision, held.revision);
    if (held.deployedRevision === job.revision && held.digest === digest) return held;
    throw new Fault(
      "conflict",
      `Cannot deploy pipeline "${job.pipelineId}": revision ${job.revision} has other content here; raise the revision`,
    );
  }
  const { revision, pipelineId, enabled } = job;
  const sameSchedule = held?.enabled === true && enabled && held.job.schedule === job.schedule &&
    held.job.timezone === job.timezone;
  const slotsFrom = sameSchedule ? held.slotsFrom : now;
  return {
    pipelineId,
    revision,
    deployedRevision: revision,
    digest,
    job,
    enabled,
    slotsFrom,
    lastRunAt: held?.lastRunAt,
  };
}

/** The pipeline after `enable`. Faults: `not_found`, `conflict`. */
export function toggled(
  held: HeldPipeline | undefined,
  pipelineId: string,
  revision: number,
  on: boolean,
  now: number,
): HeldPipeline {
  const verb = on ? "enable" : "disable";
  if (held === undefined) throw new Fault("not_found", `Cannot ${verb} pipeline "${pipelineId}": it is not deployed`);
  refuseOlder(verb, pipelineId, revision, held.revision);
  if (revision === held.revision) {
    if (held.enabled === on) return held;
    throw new Fault(
      "conflict",
      `Cannot ${verb} pipeline "${pipelineId}": revision ${revision} says otherwise; raise the revision`,
    );
  }
  // Slots that passed while it was off are nobody's.
  return { ...held, revision, enabled: on, slotsFrom: on && !held.enabled ? now : held.slotsFrom };
}

/** Faults: `conflict` if a newer revision is in force. */
export function refuseOlder(verb: string, pipelineId: string, revision: number, held: number): void {
  if (revision >= held) return;
  throw new Fault(
    "conflict",
    `Cannot ${verb} pipeline "${pipelineId}": revision ${revision} is older than ${held}, which is in force`,
  );
}

/** What a schedule asks for now (ms since the epoch). */
export interface DueSlots {
  /** Mint this one now. */
  due?: number;
  /** The latest of those that passed unseen. */
  missed?: number;
}

/** What of the schedule is due at `now`. */
export function dueSlots(held: HeldPipeline, now: number): DueSlots {
  if (!held.enabled || held.job.schedule === undefined) return {};
  const schedule = parseSchedule(held.job.schedule, held.job.timezone);
  const latest = schedule.latest(now);
  if (latest === undefined || latest <= held.slotsFrom) return {};
  if (now - latest > LATENESS_MS) return { missed: latest };
  const before = schedule.latest(latest - 1);
  return before !== undefined && before > held.slotsFrom ? { due: latest, missed: before } : { due: latest };
}

/** The next slot (ms since the epoch) of an enabled schedule. */
export function nextSlot(held: HeldPipeline, now: number): number | undefined {
  if (!held.enabled || held.job.schedule === undefined) return undefined;
  return parseSchedule(held.job.schedule, held.job.timezone).next(now);
}

/** The view that the port gives. */
export function viewOfPipeline(held: HeldPipeline, now: number): PipelineView {
  const { pipelineId, revision, deployedRevision, job, enabled, lastRunAt } = held;
  const next = nextSlot(held, now);
  return {
    pipelineId,
    revision,
    deployedRevision,
    name: job.name,
    type: job.type,
    enabled,
    ...(job.schedule === undefined ? {} : { schedule: job.schedule, timezone: job.timezone ?? "UTC" }),
    ...(next === undefined ? {} : { nextRunAt: new Date(next).toISOString() }),
    ...(lastRunAt === undefined ? {} : { lastRunAt }),
  };
}
