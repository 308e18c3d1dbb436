/** What the tests of the local engine share. */
import assert from "node:assert/strict";
import type { LocalEngineOptions } from "../../adapters/engine/local/engine.ts";
import type { Command } from "../../adapters/engine/local/files.ts";
import { readLog, until } from "../contract/engine/harness.ts";
import { type LocalHarness, makeLocalHarness } from "./local_harness.ts";

/** One test on a harness of its own. */
export function check(
  name: string,
  run: (h: LocalHarness, signal: AbortSignal) => Promise<void>,
  options: Partial<LocalEngineOptions> = {},
): void {
  Deno.test({
    name: `local engine: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      const h = await makeLocalHarness(options);
      const ending = new AbortController();
      const timer = setTimeout(() => ending.abort(new Error("the test took longer than a minute")), 60_000);
      try {
        await run(h, ending.signal);
      } finally {
        clearTimeout(timer);
        ending.abort();
        await h.close();
      }
    },
  });
}

/** A command that runs the script. */
export function shell(script: string): Command {
  return { command: "/bin/sh", args: ["-c", script] };
}

/** Commands of which every type runs the script. */
export function only(script: string): { commands: Record<string, Command> } {
  return { commands: { default: shell(script) } };
}

/** The first line of the run's log, when it is there. */
export async function firstLine(h: LocalHarness, runId: string, signal: AbortSignal): Promise<string> {
  await until(h, "it runs", async () => (await h.engine.find(runId, signal))?.state === "running", signal);
  return await until(h, "a line", async () => (await readLog(h, runId, { follow: false }, signal)).lines[0], signal);
}

/** Waits until there is no such process. */
export async function gone(h: LocalHarness, pid: number, signal: AbortSignal): Promise<void> {
  assert(pid > 1);
  await until(h, `process ${pid} is gone`, async () => {
    const { stdout } = await new Deno.Command("ps", { args: ["-o", "stat=", "-p", String(pid)] }).output();
    const stat = new TextDecoder().decode(stdout).trim();
    return stat === "" || stat.startsWith("Z");
  }, signal);
}
