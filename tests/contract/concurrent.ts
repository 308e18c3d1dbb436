/**
 * The engine contract where a check takes its time (a real cluster starts pods and waits for minutes): the same checks,
 * several at once. Leaks are looked for where the checks run one by one.
 */
import type { EngineLack } from "../../mod/ports.ts";
import { engineChecks, runCheck } from "./engine.ts";
import type { EngineHarness } from "./engine/harness.ts";

export interface ConcurrentOptions {
  /** Checks under way at the same time. */
  atOnce: number;
  timeoutMs: number;
  lacks?: readonly EngineLack[];
  skip?: { reason: string; checks: string[] }[];
  /** Called before the first and after the last check. */
  open(): Promise<void>;
  close(): Promise<void>;
}

/** Makes one test per check, and one that tells how many there were. */
export function concurrentContract(
  name: string,
  makeHarness: () => Promise<EngineHarness>,
  { atOnce, timeoutMs, lacks = [], skip = [], open, close }: ConcurrentOptions,
): void {
  const reasons = new Map<string, string>();
  for (const { reason, checks } of skip) {
    for (const check of checks) {
      if (!Object.hasOwn(engineChecks, check)) throw new Error(`Cannot skip "${check}": there is no such check`);
      reasons.set(check, reason);
    }
  }
  for (const [title, { needs }] of Object.entries(engineChecks)) {
    const lacking = needs?.find((need) => lacks.includes(need));
    if (lacking) reasons.set(title, `the engine lacks ${lacking}`);
  }
  const outcomes = new Map<string, PromiseWithResolvers<void>>();
  // The longest first: whoever waits for the minute must not begin last.
  const todo = Object.entries(engineChecks).filter(([title]) => !reasons.has(title)).reverse();
  for (const [title] of todo) {
    const outcome = Promise.withResolvers<void>();
    outcome.promise.catch(() => {});
    outcomes.set(title, outcome);
  }
  let passed = 0, started: Promise<unknown> | undefined;

  async function worker(queue: IterableIterator<[string, (typeof engineChecks)[string]]>): Promise<void> {
    for (const [title, check] of queue) {
      try {
        await runCheck(check, makeHarness, timeoutMs);
        passed++;
        outcomes.get(title)?.resolve();
      } catch (error) {
        outcomes.get(title)?.reject(error);
      }
    }
  }

  const start = async () => {
    await open();
    const queue = todo[Symbol.iterator]();
    await Promise.all(Array.from({ length: atOnce }, () => worker(queue)));
  };
  const shared = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: true };
  for (const title of Object.keys(engineChecks)) {
    const reason = reasons.get(title);
    Deno.test({
      name: `${name}: ${title}${reason ? ` [skipped: ${reason}]` : ""}`,
      ignore: reason !== undefined,
      ...shared,
      async fn() {
        started ??= start();
        // What keeps all of them from running is told by the first.
        await Promise.race([outcomes.get(title)?.promise, started.then(() => outcomes.get(title)?.promise)]);
      },
    });
  }
  Deno.test({
    name: `${name}: all checks`,
    ...shared,
    async fn() {
      await started;
      await close();
      const count = Object.keys(engineChecks).length;
      // deno-lint-ignore no-console
      console.log(`${name}: ${passed} checks passed, ${todo.length - passed} failed, ${count - todo.length} skipped`);
    },
  });
}
