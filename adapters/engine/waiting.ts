/** Small helps for waiting: one at a time per key, and a sleep that a bell ends early. */
import type { Clock } from "../../mod/ports.ts";

/** Work in turn, by key. */
export interface Keyed {
  /** Runs `work` when everything that was asked earlier under the same key has ended. */
  <T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

/** One at a time per key, in the order of asking. */
export function createKeyed(): Keyed {
  const tails = new Map<string, Promise<void>>();
  return async (key, signal, work) => {
    const before = tails.get(key) ?? Promise.resolve();
    const { promise: done, resolve: release } = Promise.withResolvers<void>();
    const tail = before.then(() => done);
    tails.set(key, tail);
    try {
      await orAbort(before, signal);
      return await work();
    } finally {
      release();
      if (tails.get(key) === tail) tails.delete(key);
    }
  };
}

/** A pause that can be ended early. */
export interface Bell {
  /** Ends the present wait, or the next one if nobody waits. */
  ring(): void;
  /** Resolves after `ms` milliseconds or at a ring; rejects with the signal's reason. */
  wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void>;
}

/** A bell for one waiter. */
export function createBell(): Bell {
  let rung = false;
  let wake: AbortController | undefined;
  return {
    ring() {
      rung = true;
      wake?.abort();
    },
    async wait(ms, clock, signal) {
      signal.throwIfAborted();
      wake = new AbortController();
      try {
        if (!rung) await clock.sleep(ms, AbortSignal.any([signal, wake.signal]));
      } catch (error) {
        signal.throwIfAborted();
        if (!wake.signal.aborted) throw error;
      } finally {
        rung = false;
        wake = undefined;
      }
    },
  };
}

/** The promise's outcome, unless the signal aborts first; the promise itself goes on. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) {
      promise.catch(() => {});
      return abort();
    }
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
