/** Small helps for waiting on what may never come: an abort always ends the wait. */
import type { Clock } from "./ports.ts";

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

/** Waits for nothing: rejects with the signal's reason when it aborts, at once if it has. */
export function forever(signal: AbortSignal): Promise<never> {
  return orAbort(new Promise<never>(() => {}), signal);
}

/** Resolves when the signal aborts, at once if it has: for a race that an abort merely ends. */
export function aborted(signal: AbortSignal): Promise<void> {
  return forever(signal).catch(() => {});
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
