/**
 * What cluster access promises, over the fake API server and over a real one. `contract` makes one test of each check;
 * `runCheck` runs one, so that the suite itself can be tested (tests/access/teeth.test.ts).
 */
import { within } from "../wait.ts";
import { type AccessCheck, type AccessHarness, checks } from "./cluster_access_checks.ts";

export { type AccessCheck, type AccessHarness, checks };

/** Longest time of one check: what takes longer hangs. */
const CHECK_LIMIT_MS = 60_000;

/** One Deno.test per check. A skip that names no check is an error: it would hide a check that was renamed. */
export function contract(
  name: string,
  makeHarness: () => Promise<AccessHarness>,
  { skip = [], lacks = {} }: {
    skip?: readonly { reason: string; checks: readonly string[] }[];
    /** What the harness cannot do, and why. */
    lacks?: Readonly<Partial<Record<NonNullable<AccessCheck["needs"]>, string>>>;
  } = {},
): void {
  const skipped = new Map<string, string>();
  for (const { reason, checks: names } of skip) {
    for (const wanted of names) {
      if (!checks.some((check) => check.name === wanted)) {
        throw new Error(`Cannot skip "${wanted}": there is no such check`);
      }
      skipped.set(wanted, reason);
    }
  }
  for (const check of checks) {
    const reason = skipped.get(check.name) ?? (check.needs && lacks[check.needs]);
    Deno.test({
      name: `cluster access/${name}: ${check.name}${reason === undefined ? "" : ` (skipped: ${reason})`}`,
      ignore: reason !== undefined,
      sanitizeOps: true,
      sanitizeResources: true,
      sanitizeExit: true,
      fn: () => runCheck(check, makeHarness),
    });
  }
}

/** One check over a fresh harness, within its time. */
export async function runCheck(
  check: AccessCheck,
  makeHarness: () => Promise<AccessHarness>,
  limitMs = CHECK_LIMIT_MS,
): Promise<void> {
  const harness = await makeHarness();
  try {
    await within("the end of the check", check.run(harness), limitMs);
  } finally {
    await harness.close();
  }
}
