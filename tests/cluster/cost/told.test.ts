/** How soon the end of a run stands in the control plane: from the watch event that carries it, and from its container. */
import assert from "node:assert/strict";
import { podFacts } from "../../../adapters/engine/cluster/facts.ts";
import { quantiles } from "../../../bench/figures.ts";
import { runName } from "../../../mod/names.ts";
import { isTerminal } from "../../../mod/run.ts";
import { clusterJourneys } from "../journey/journey.ts";
import { DIALECTS } from "../journey/objects.ts";
import { openWitness } from "../pods/witness.ts";

const RUNS = 20;
const AT_ONCE = 4;
const GOAL_MS = 1000;

clusterJourneys("the end of a run at the control plane", [{
  name: `${RUNS} runs, ${AT_ONCE} at once`,
  direct: true,
  async body({ engine, agentId, world, rest, measured }) {
    const witness = openWitness(world, [world.at("pods")]);
    const fromEvent: number[] = [], fromContainer: number[] = [];
    let left = RUNS;
    try {
      await rest.put("quick", {});
      await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (left-- > 0) {
          const runId = await rest.run("quick");
          const { state, times, timeline } = await rest.ended(runId);
          assert.equal(state, "success");
          const recorded = Date.parse(timeline.find((entry) => isTerminal(entry.state))?.recordedAt ?? "");
          const name = runName(agentId, runId);
          const carrying = witness.first(
            "pods",
            (pod) => DIALECTS[engine].runOf(pod) === name && podFacts(pod)?.main?.state === "terminated",
          );
          // The test's own watch may be a moment behind the engine's.
          fromEvent.push(Math.max(0, recorded - (carrying?.at ?? recorded)));
          fromContainer.push(recorded - Date.parse(times.finished ?? ""));
        }
      }));
    } finally {
      await witness.close();
    }
    measured(
      `watch event → control plane ${shown(fromEvent)} ms; container's end (whole seconds) ${shown(fromContainer)} ms`,
    );
    assert.ok(quantiles(fromEvent).p99 <= GOAL_MS, shown(fromEvent));
  },
}], { atOnce: 1 });

function shown(values: readonly number[]): string {
  const { p50, p99 } = quantiles(values);
  return `p50 ${p50}, p99 ${p99}`;
}
