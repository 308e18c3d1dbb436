/** Work that shares a key goes one after the other, in the order of the calls; everything else goes side by side. */

export interface Keyed {
  /** Runs `work` once everything called before it under any of the same keys has ended. */
  run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T>;
  /** Keys in use: 0 when nothing is in hand. */
  size(): number;
}

export function createKeyed(): Keyed {
  const tails = new Map<string, Promise<void>>();
  return {
    async run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
      // All keys are taken in one step, without a wait between them: no two calls can wait for each other.
      const before = keys.map((key) => tails.get(key));
      const { promise: done, resolve } = Promise.withResolvers<void>();
      for (const key of keys) tails.set(key, done);
      try {
        await Promise.all(before);
        return await work();
      } finally {
        resolve();
        for (const key of keys) if (tails.get(key) === done) tails.delete(key);
      }
    },
    size: () => tails.size,
  };
}
