/** Work that shares a key goes one after the other, in the order of the calls; everything else goes side by side. */
import { orAbort } from "./waiting.ts";

/** Work in turn, by key. */
export interface Keyed {
  /**
   * Runs `work` once everything called before it under any of the same keys has ended. With a signal an abort ends the
   * wait for the turn, with the signal's reason; work that has begun is its own master.
   */
  run<T>(keys: readonly string[], work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Keys in use: 0 when nothing is in hand. */
  size(): number;
}

/** One at a time per key; no key is in use yet. */
export function createKeyed(): Keyed {
  const tails = new Map<string, Promise<void>>();
  return {
    async run<T>(keys: readonly string[], work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
      // All keys are taken in one step, without a wait between them: no two calls can wait for each other.
      const before = Promise.all(keys.map((key) => tails.get(key)));
      const { promise: done, resolve } = Promise.withResolvers<void>();
      for (const key of keys) tails.set(key, done);
      const leave = () => {
        resolve();
        for (const key of keys) if (tails.get(key) === done) tails.delete(key);
      };
      try {
        await (signal === undefined ? before : orAbort(before, signal));
      } catch (reason) {
        // It leaves only when its turn comes: what it waited for is still going on, and the next must wait for that.
        void before.then(leave);
        throw reason;
      }
      try {
        return await work();
      } finally {
        leave();
      }
    },
    size: () => tails.size,
  };
}
