/**
 * What every SecretsProvider answers. `contract` makes one test of each check; `runCheck` runs one against any provider,
 * so that the suite itself can be tested (tests/secrets/teeth.test.ts).
 */
import { within } from "../wait.ts";
import { checks, type SecretsCheck, type SecretsHarness, type SecretsLack } from "./secrets_checks.ts";

export { checks, type SecretsCheck, type SecretsHarness, type SecretsLack };

/** What a provider is excused from. */
export interface ContractOptions {
  /** Checks that this provider cannot pass, by name, and why. */
  skip?: readonly { reason: string; checks: readonly string[] }[];
  /** Capabilities that the provider does not have; their checks are skipped. */
  lacks?: readonly SecretsLack[];
}

/** Longest time of one check: what takes longer hangs. */
export const CHECK_LIMIT_MS = 10_000;

/** One Deno.test per check. A skip that names no check is an error: it would hide a check that was renamed. */
export function contract(
  name: string,
  makeHarness: () => Promise<SecretsHarness>,
  options: ContractOptions = {},
): void {
  const skipped = new Map<string, string>();
  for (const { reason, checks: names } of options.skip ?? []) {
    for (const skip of names) {
      if (!checks.some((check) => check.name === skip)) {
        throw new Error(`Cannot skip "${skip}": there is no such check`);
      }
      skipped.set(skip, reason);
    }
  }
  for (const check of checks) {
    if (check.needs && options.lacks?.includes(check.needs)) skipped.set(check.name, `lacks ${check.needs}`);
    const reason = skipped.get(check.name);
    Deno.test({
      name: `secrets/${name}: ${check.name}${reason === undefined ? "" : ` (skipped: ${reason})`}`,
      ignore: reason !== undefined,
      sanitizeOps: true,
      sanitizeResources: true,
      sanitizeExit: true,
      fn: () => runCheck(check, makeHarness),
    });
  }
}

/** One check over a fresh harness, within its time. */
export async function runCheck(check: SecretsCheck, makeHarness: () => Promise<SecretsHarness>): Promise<void> {
  const harness = await makeHarness();
  try {
    await within("the end of the check", check.run(harness), CHECK_LIMIT_MS);
  } finally {
    await harness.close();
  }
}
