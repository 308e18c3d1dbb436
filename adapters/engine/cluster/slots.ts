/**
 * What became of the slots of schedules. The cluster mints; we tell: a run that came is `minted`; a slot that passed
 * without one is `skipped` where a scheduled run of the pipeline was live, else `missed`. Best effort: after a restart it
 * is worked out anew from the schedule's last slot.
 */
import { isFault } from "../../../mod/fault.ts";
import type { Clock, Log } from "../../../mod/ports.ts";
import { isTerminal } from "../../../mod/run.ts";
import { parseSchedule, type Schedule } from "../../../mod/schedule.ts";
import type { Feed } from "../feed.ts";
import type { Dialect } from "./dialect.ts";
import type { Deployment } from "./deployments.ts";
import type { RunFacts } from "./facts.ts";
import { STARTING_DEADLINE_SECONDS } from "./limits.ts";
import type { Schedules } from "./schedules.ts";
import type { Store } from "./store.ts";

/** The slots of all schedules of one engine. */
export interface Slots {
  /** From now on this is the pipeline's schedule; `since` (ms) is where looking begins, now if not said. */
  follow(deployment: Deployment, since?: number): void;
  /** The pipeline has no schedule any more. */
  unfollow(pipelineId: string): void;
  /** A run of a schedule is there. */
  minted(facts: RunFacts): void;
  /** Tells what has passed; answers the milliseconds until the next look. */
  round(): Promise<number>;
}

/** What slots work with. */
export interface SlotsOptions {
  dialect: Dialect;
  schedules: Schedules;
  store: Store;
  feed: Feed;
  clock: Clock;
  log: Log;
  life: AbortSignal;
}

interface Followed {
  schedule: Schedule;
  excludes: boolean;
  /** Slots up to this one are dealt with, ms. */
  from: number;
  /** The last slot of which a run was seen, ms. */
  minted: number;
}

/** A slot is judged when it can no longer be minted. */
const LATE_MS = (STARTING_DEADLINE_SECONDS + 5) * 1000;
const LOOK_MS = 5_000;
/** After a long absence there may be thousands; so many of the latest are told. */
const MOST_TOLD = 20;

/** Slots of no schedule yet. */
export function createSlots({ dialect, schedules, store, feed, clock, log, life }: SlotsOptions): Slots {
  const followed = new Map<string, Followed>();

  async function deal(pipelineId: string, held: Followed): Promise<void> {
    const until = clock.now() - LATE_MS;
    const latest = held.schedule.latest(until);
    if (latest === undefined || latest <= held.from) return;
    const open: number[] = [];
    for (let slot: number | undefined = latest; slot !== undefined && slot > held.from && open.length < MOST_TOLD;) {
      open.unshift(slot);
      slot = held.schedule.latest(slot - 1);
    }
    if (open.some((slot) => slot > held.minted)) {
      const object = await schedules.find(pipelineId, life);
      const last = object && dialect.lastSlot(object);
      const trouble = object && dialect.scheduleTrouble(object);
      if (trouble !== undefined) log("error", "engine.schedule", { pipelineId, reason: trouble });
      if (last !== undefined) held.minted = Math.max(held.minted, Date.parse(last));
    }
    held.from = latest;
    for (const slot of open) {
      if (slot <= held.minted) continue;
      const event = held.excludes && wasLive(pipelineId, slot) ? "skipped" : "missed";
      feed.publish({ kind: "schedule", event, pipelineId, scheduledAt: new Date(slot).toISOString() });
    }
  }

  /** A scheduled run of the pipeline was live at the slot, as far as what is not acknowledged tells. */
  function wasLive(pipelineId: string, slot: number): boolean {
    for (const { facts, standing } of store.entries()) {
      const { marks } = facts;
      if (marks.pipelineId !== pipelineId || marks.origin !== "schedule") continue;
      if (Date.parse(marks.scheduledAt ?? facts.created) >= slot) continue;
      if (!isTerminal(standing.state) || Date.parse(standing.finishedAt ?? "") >= slot) return true;
    }
    return false;
  }

  return {
    follow({ pipelineId, enabled, definition: { job } }, since = clock.now()) {
      if (!enabled || job.schedule === undefined) return void followed.delete(pipelineId);
      const schedule = parseSchedule(job.schedule, job.timezone);
      const before = followed.get(pipelineId);
      const same = before?.schedule.cron === schedule.cron && before.schedule.timezone === schedule.timezone;
      const from = same ? before.from : since;
      followed.set(pipelineId, { schedule, excludes: job.maxActiveRuns === 1, from, minted: before?.minted ?? 0 });
    },
    unfollow: (pipelineId) => void followed.delete(pipelineId),
    minted({ uid, marks: { pipelineId, scheduledAt } }) {
      if (scheduledAt === undefined) return;
      const held = followed.get(pipelineId), slot = Date.parse(scheduledAt);
      if (held) held.minted = Math.max(held.minted, slot);
      feed.publish({ kind: "schedule", event: "minted", pipelineId, scheduledAt, runId: uid });
    },
    async round() {
      for (const [pipelineId, held] of followed) {
        try {
          await deal(pipelineId, held);
        } catch (error) {
          life.throwIfAborted();
          log(isFault(error, "unavailable") ? "debug" : "warn", "engine.slots", { pipelineId, error });
        }
      }
      return LOOK_MS;
    },
  };
}
