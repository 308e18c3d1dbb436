/** A runner to be killed: starts the run, says when it runs, and waits. */
import { createLocalEngine } from "../../adapters/engine/local/engine.ts";
import { AGENT } from "./local_harness.ts";
import { createSteppingClock } from "./stepping_clock.ts";

const [stateDir = "", runId = ""] = Deno.args;
const print = `i=0; while [ $i -lt 6 ]; do [ $i -gt 0 ] && sleep 0.5; i=$((i+1)); echo "line $i"; done`;
const engine = await createLocalEngine({
  ...{ agentId: AGENT, stateDir, secrets: {}, clock: createSteppingClock(), log: () => {} },
  commands: { default: { command: "/bin/sh", args: ["-c", print] } },
});
const signal = new AbortController().signal;
await engine.start({ runId, pipelineId: "pipeline", origin: "command", received: new Date().toISOString() }, signal);
for await (const event of engine.runs(signal)) {
  if (event.kind !== "run" || event.run.state !== "running") continue;
  await Deno.stdout.write(new TextEncoder().encode("running\n"));
}
