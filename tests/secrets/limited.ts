/** Deno.test with a limit of its own and the leak sanitizers said aloud. */

/** Longest time of one test here, in milliseconds. */
const LIMIT_MS = 60_000;

/** One test; a promise that never settles fails it after a minute. */
export function test(name: string, fn: () => void | Promise<void>, options: Partial<Deno.TestDefinition> = {}): void {
  Deno.test({
    ...options,
    name,
    sanitizeOps: true,
    sanitizeResources: true,
    sanitizeExit: true,
    fn: async () => {
      let timer;
      const limit = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done after ${LIMIT_MS} ms`)), LIMIT_MS);
      });
      try {
        await Promise.race([fn(), limit]);
      } finally {
        clearTimeout(timer);
      }
    },
  });
}
