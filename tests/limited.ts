/** Deno.test with a limit of its own and the leak sanitizers said aloud. */
import { within } from "./wait.ts";

/** One test; a promise that never settles fails it after a minute. */
export function test(name: string, fn: () => void | Promise<void>, options: Partial<Deno.TestDefinition> = {}): void {
  Deno.test({
    ...options,
    name,
    sanitizeOps: true,
    sanitizeResources: true,
    sanitizeExit: true,
    fn: () => within("the end of the test", Promise.resolve().then(fn)),
  });
}
