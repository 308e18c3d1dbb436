/** How soon the end of a run is told, from the watch event that carries it, and from the container's own end. */
import assert from "node:assert/strict";
import { podFacts } from "../../../adapters/engine/cluster/facts.ts";
import { quantiles } from "../../../bench/figures.ts";
import { runName } from "../../../mod/names.ts";
import { jobOf, openRunner, scriptRow } from "../pods/runner.ts";
import { openWitness } from "../pods/witness.ts";
import { worlds } from "../pods/worlds.ts";

const RUNS = 20;
const AT_ONCE = 4;
/** From the API server's watch event to the engine's word, milliseconds. */
const GOAL_MS = 1000;

worlds("latency: an end is told at once", { seconds: 170 }, async (world) => {
  const witness = openWitness(world, [world.at("pods")]);
  const runner = await openRunner(world, { rows: { quick: scriptRow("true") } });
  const fromEvent: number[] = [], fromContainer: number[] = [];
  let left = RUNS;

  async function work(): Promise<void> {
    while (left-- > 0) {
      const runId = await runner.run(jobOf("quick"));
      const told = await runner.end(runId);
      assert.equal(told.run.state, "success", JSON.stringify(told.run));
      const name = runName(runner.agentId, runId);
      const carrying = witness.first(
        "pods",
        (pod) => runner.dialect.runOf(pod) === name && podFacts(pod)?.main?.state === "terminated",
      );
      // Its own watch may be a moment behind the engine's.
      fromEvent.push(Math.max(0, told.at - (carrying?.at ?? told.at)));
      fromContainer.push(told.at - Date.parse(told.run.times.finished ?? ""));
    }
  }

  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    // deno-lint-ignore no-console
    console.log(
      `${world.engine}: ${RUNS} runs, ${AT_ONCE} at once; watch event to told: ${
        shown(fromEvent)
      } ms; container's end ` +
        `(whole seconds) to told: ${shown(fromContainer)} ms`,
    );
    assert.ok(quantiles(fromEvent).p99 <= GOAL_MS, shown(fromEvent));
  } finally {
    await Promise.all([runner.close(), witness.close()]);
  }
});

function shown(values: readonly number[]): string {
  const { p50, p99 } = quantiles(values);
  return `p50 ${p50}, p99 ${p99}`;
}
