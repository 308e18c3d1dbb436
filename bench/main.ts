/**
 * Every bench, one after the other, each in a process of its own so that none measures what another left behind. Those
 * that run the runner's code under `deno run` get the heap limits that the executables have baked in.
 */
import { COMMON_FLAGS } from "../tasks/programs.ts";

const V8_FLAGS = COMMON_FLAGS.filter((flag) => flag.startsWith("--v8-flags"));

const BENCHES: readonly { script: string; flags: readonly string[] }[] = [
  { script: "./start.ts", flags: [] },
  { script: "./frame_to_engine.ts", flags: V8_FLAGS },
  { script: "./log_throughput.ts", flags: V8_FLAGS },
];

let failed = 0;
for (const { script, flags } of BENCHES) {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", ...flags, new URL(script, import.meta.url).pathname],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  // A missed goal is printed and no failure; a bench that cannot measure is one.
  if (!success) failed++;
}
Deno.exit(failed === 0 ? 0 : 1);
