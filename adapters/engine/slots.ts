/** Mints a run for each slot of a schedule, once, while the engine lives. */
import type { Keyed } from "../../mod/keyed.ts";
import { slotRunId } from "../../mod/names.ts";
import type { Clock, Log, StartRequest } from "../../mod/ports.ts";
import type { Feed } from "./feed.ts";
import { dueSlots, type HeldPipeline, nextSlot, type PipelineStore } from "./revisions.ts";

/** The schedules of one engine. */
export interface Slots {
  /** Deals with what is due; answers the milliseconds to the next slot of all, at most `LOOK_MS`. */
  round(): Promise<number>;
  /** Resolves when what is in hand is done. */
  settled(): Promise<void>;
}

/** What schedules work with. */
export interface SlotsOptions {
  /** Whose runs and pipelines these are. */
  agentId: string;
  /** Where the pipelines are kept. */
  pipelines: PipelineStore;
  /** Tells the time, and waits. */
  clock: Clock;
  /** Gets what goes wrong without ending anything. */
  log: Log;
  /** Hands what is new to the readers. */
  feed: Feed;
  /** One at a time per pipeline, shared with the commands. */
  perPipeline: Keyed;
  /** Ends with the engine. */
  life: AbortSignal;
  /** True if a run that a schedule minted has not ended. Behind a run by command a slot waits its turn. */
  isRunningSlot(pipelineId: string): Promise<boolean>;
  /** Creates the run, or finds it. */
  start(request: StartRequest): Promise<unknown>;
}

/** The clock may be set, and the machine may sleep: no pause is longer. */
const LOOK_MS = 2_000;

/** Schedules that begin with the first round. */
export function createSlots(options: SlotsOptions): Slots {
  const { agentId, pipelines, clock, log, feed, perPipeline, life } = options;
  const inHand = new Map<string, Promise<void>>();

  const mint = async (held: HeldPipeline, slot: number): Promise<void> => {
    const { pipelineId } = held;
    const scheduledAt = new Date(slot).toISOString();
    const runId = slotRunId(agentId, pipelineId, scheduledAt);
    if (held.job.maxActiveRuns === 1 && await options.isRunningSlot(pipelineId)) {
      await pipelines.save({ ...held, slotsFrom: slot });
      return feed.publish({ kind: "schedule", event: "skipped", pipelineId, scheduledAt });
    }
    const received = new Date(Math.max(slot, clock.now())).toISOString();
    await options.start({ runId, pipelineId, origin: "schedule", scheduledAt, received });
    const now = await pipelines.read(pipelineId);
    if (now !== undefined) await pipelines.save({ ...now, slotsFrom: slot });
    feed.publish({ kind: "schedule", event: "minted", pipelineId, scheduledAt, runId });
  };

  const deal = (pipelineId: string): Promise<void> =>
    perPipeline.run([pipelineId], async () => {
      const held = await pipelines.read(pipelineId);
      if (held === undefined) return;
      const { due, missed } = dueSlots(held, clock.now());
      if (missed !== undefined) {
        // Only the latest of those that passed unseen is told: after a long absence there may be thousands.
        const scheduledAt = new Date(missed).toISOString();
        await pipelines.save({ ...held, slotsFrom: missed });
        feed.publish({ kind: "schedule", event: "missed", pipelineId, scheduledAt });
      }
      if (due !== undefined) await mint(held, due);
    }, life);

  return {
    async round() {
      let pause = LOOK_MS;
      for (const held of await pipelines.all()) {
        const { pipelineId } = held;
        const now = clock.now();
        const { due, missed } = dueSlots(held, now);
        // Not awaited: a pipeline that is being removed must not keep the others from their slots.
        if ((due ?? missed) !== undefined && !inHand.has(pipelineId)) {
          const task = deal(pipelineId)
            .catch((error) => life.aborted || log("error", "slot-failed", { pipelineId, error }))
            .then(() => void inHand.delete(pipelineId));
          inHand.set(pipelineId, task);
        }
        pause = Math.min(pause, Math.max(1, (nextSlot(held, now) ?? Infinity) - now));
      }
      return pause;
    },
    async settled() {
      await Promise.all(inHand.values());
    },
  };
}
