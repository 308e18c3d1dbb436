/** Lanes: one thing at a time in each, lanes side by side. What a lane does next is decided anew before each step. */
import { isFault, reasonOf } from "../../mod/fault.ts";
import type { Clock, Log } from "../../mod/ports.ts";

/** What a lane is for: a pipeline, a run with its own job, or the stop of a run. */
export interface Lane {
  kind: "pipeline" | "run" | "stop";
  id: string;
}

/** What a step led to: more to do, nothing to do, or the same again after a while. */
export type Outcome = { next: "more" } | { next: "idle" } | { next: "retry"; afterMs: number };

/** The lanes of one term of one session. */
export interface Lanes {
  /** There is something to do in this lane; a lane that waits to retry looks at once. */
  wake(lane: Lane): void;
}

/** Makes lanes that run until the signal aborts. `attempt` counts retries in a row, from 0. */
export function createLanes(
  { step, clock, log, signal }: {
    step: (lane: Lane, attempt: number, signal: AbortSignal) => Promise<Outcome>;
    clock: Clock;
    log: Log;
    signal: AbortSignal;
  },
): Lanes {
  const running = new Map<string, { isWoken: boolean; nap: AbortController }>();
  return {
    wake(lane) {
      if (signal.aborted) return;
      const key = `${lane.kind} ${lane.id}`;
      const entry = running.get(key);
      if (entry !== undefined) {
        entry.isWoken = true;
        return entry.nap.abort();
      }
      const state = { isWoken: false, nap: new AbortController() };
      running.set(key, state);
      void run(lane, key, state);
    },
  };

  async function run(lane: Lane, key: string, state: { isWoken: boolean; nap: AbortController }): Promise<void> {
    for (let attempt = 0; !signal.aborted;) {
      state.isWoken = false;
      state.nap = new AbortController();
      const outcome = await attemptStep(lane, attempt);
      if (outcome.next === "retry") {
        attempt++;
        if (!state.isWoken) await nap(outcome.afterMs, state.nap.signal);
        continue;
      }
      attempt = 0;
      // In the same turn as the last look: who wakes the lane later finds it gone, and begins it anew.
      if (outcome.next === "idle" && !state.isWoken) return void running.delete(key);
    }
  }

  async function attemptStep(lane: Lane, attempt: number): Promise<Outcome> {
    try {
      return await step(lane, attempt, signal);
    } catch (error) {
      if (signal.aborted) return { next: "idle" };
      // One lane's trouble (a full disk, a defect) must not end the others, nor this one for good.
      log("error", "lane.failed", { loop: lane.kind, reason: reasonOf(error), ...isFault(error) ? {} : { error } });
      return { next: "retry", afterMs: retryMs(attempt) };
    }
  }

  async function nap(ms: number, woken: AbortSignal): Promise<void> {
    await clock.sleep(ms, AbortSignal.any([signal, woken])).catch(() => {});
  }
}

/** 0.5 s, 1 s, 2 s … 30 s. */
export function retryMs(attempt: number): number {
  return Math.min(30_000, 500 * 2 ** Math.min(attempt, 10));
}
