import { createMemoryEngine, type MemoryEngine } from "../../adapters/engine/memory.ts";
import { createMemoryCluster } from "../../adapters/engine/memory_cluster.ts";
import type { Job } from "../../mod/job.ts";
import type { Behaviour, EngineHarness } from "../contract/engine.ts";
import { createSteppingClock } from "./stepping_clock.ts";

export interface MemoryHarnessOptions {
  patienceMs?: number;
  /** Puts something between the engine and the checks. */
  through?(engine: MemoryEngine): MemoryEngine;
}

/** The memory engine over a cluster that outlives it. */
export function makeMemoryHarness(options: MemoryHarnessOptions = {}): Promise<EngineHarness> {
  const { patienceMs = 10_000, through = (engine) => engine } = options;
  const clock = createSteppingClock();
  const cluster = createMemoryCluster(clock);
  const make = () => createMemoryEngine({ clock, cluster });
  let engine = make();
  let shown = through(engine);
  return Promise.resolve({
    get engine() {
      return shown;
    },
    patienceMs,
    job: (behaviour, overrides): Job => ({
      ...{ kind: "pipeline", pipelineId: "pipeline", name: "A pipeline", type: "metadata", revision: 1 },
      ...{ document: documentOf(behaviour), enabled: true, maxActiveRuns: 1 },
      ...overrides,
    }),
    async restart() {
      await engine.close();
      engine = make();
      shown = through(engine);
    },
    deleteRun: (runId) => Promise.resolve(cluster.delete(runId)),
    loseLog(runId) {
      const run = cluster.runs.get(runId);
      if (run !== undefined) run.log = "gone";
      return Promise.resolve();
    },
    schedule: "0 0 1 1 *",
    toSlot: (slot) => Promise.resolve(clock.advance(Date.parse(slot) - clock.now() + 50)),
    async close() {
      await engine.close();
      await cluster.shutDown();
    },
  });
}

function documentOf(behaviour: Behaviour): string {
  if (behaviour.does === "echo") return behaviour.document;
  return JSON.stringify({ script: "memory", ...script(behaviour) });
}

function script(behaviour: Exclude<Behaviour, { does: "echo" }>): Record<string, unknown> {
  const lines = ["line {n}"];
  switch (behaviour.does) {
    case "succeed":
      return { lines, repeat: behaviour.lines ?? 0 };
    case "fail":
      return { lines, repeat: behaviour.lines, exit: behaviour.exitCode };
    case "sleep":
      return { lines, sleepMs: -1 };
    case "ignore-term":
      return { lines, sleepMs: -1, stopMs: 200 };
    case "print":
      return { lines, repeat: behaviour.lines, ...(behaviour.everyMs > 0 ? { everyMs: behaviour.everyMs } : {}) };
    case "partial":
      return { partial: true };
  }
}
