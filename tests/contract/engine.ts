/**
 * The contract of the Engine port (and of EngineLogs): every engine passes these checks. A check speaks of the port
 * alone; whatever an engine needs to bring its jobs about belongs to its harness. The checks stand in tables by theme.
 */
import type { EngineLack } from "../../mod/ports.ts";
import { commandChecks } from "./engine/commands.ts";
import { endChecks } from "./engine/ends.ts";
import { logChecks } from "./engine/logs.ts";
import { pipelineChecks } from "./engine/pipelines.ts";
import { scheduleChecks } from "./engine/schedules.ts";
import { watchChecks } from "./engine/watch.ts";
import type { Check, EngineHarness } from "./engine/harness.ts";

export type { Behaviour, Check, EngineHarness } from "./engine/harness.ts";

/** Every check by its name. */
export const engineChecks: Readonly<Record<string, Check>> = {
  ...commandChecks,
  ...endChecks,
  ...watchChecks,
  ...pipelineChecks,
  ...logChecks,
  ...scheduleChecks,
};

export interface ContractOptions {
  /** Checks that are left out, each with the reason. A name that no check has is an error. */
  skip?: { reason: string; checks: string[] }[];
  /** What the engine declares that it lacks; checks that need one of these are left out. */
  lacks?: readonly EngineLack[];
  /** Milliseconds for one check. */
  timeoutMs?: number;
}

/** Makes one test per check. */
export function contract(name: string, makeHarness: () => Promise<EngineHarness>, options: ContractOptions = {}): void {
  const skipped = new Map<string, string>();
  for (const { reason, checks } of options.skip ?? []) {
    for (const check of checks) {
      if (!Object.hasOwn(engineChecks, check)) throw new Error(`Cannot skip "${check}": there is no such check`);
      skipped.set(check, reason);
    }
  }
  for (const [title, check] of Object.entries(engineChecks)) {
    const lacking = check.needs?.find((need) => options.lacks?.includes(need));
    const reason = skipped.get(title) ?? (lacking && `the engine lacks ${lacking}`);
    Deno.test({
      name: `${name}: ${title}${reason ? ` [skipped: ${reason}]` : ""}`,
      ignore: reason !== undefined,
      sanitizeOps: true,
      sanitizeResources: true,
      sanitizeExit: true,
      fn: () => runCheck(check, makeHarness, options.timeoutMs ?? 60_000),
    });
  }
}

/** Runs one check on a fresh harness; rejects if it fails or takes longer than `timeoutMs`. */
export async function runCheck(
  check: Check,
  makeHarness: () => Promise<EngineHarness>,
  timeoutMs: number,
): Promise<void> {
  const harness = await makeHarness();
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(new Error(`the check took longer than ${timeoutMs} ms`)), timeoutMs);
  try {
    await check.run(harness, ending.signal);
    ending.signal.throwIfAborted();
  } finally {
    clearTimeout(timer);
    ending.abort(new Error("the check is over"));
    await harness.close();
  }
}
