/** The engine where there is none: it says why, to whoever asks. */
import { Fault } from "../../mod/fault.ts";
import type { Engine, EngineEvent } from "../../mod/ports.ts";
import { forever } from "../../mod/waiting.ts";

/**
 * Every verb faults `unavailable` with the reason. `find` does too: an `undefined` would be read as "the run is gone",
 * and the control plane would then declare live work dead. `pipelines` and `runs` are empty, so that a session can be
 * opened and the reason shown.
 */
export function createNoEngine(reason: string): Engine {
  const refuse = (action: string) => (): Promise<never> =>
    Promise.reject(new Fault("unavailable", `Cannot ${action}: there is no workflow engine: ${reason}`));
  return {
    description: { kind: "none", version: "", lacks: ["schedules-while-away", "logs", "diagnose", "jobs"] },
    deploy: refuse("deploy the pipeline"),
    remove: refuse("remove the pipeline"),
    enable: refuse("enable or disable the pipeline"),
    pipelines: () => Promise.resolve([]),
    start: refuse("start the run"),
    stop: refuse("stop the run"),
    find: refuse("find the run"),
    acknowledge: refuse("acknowledge the run"),
    async *runs(signal: AbortSignal): AsyncGenerator<EngineEvent> {
      signal.throwIfAborted();
      yield { kind: "listed" };
      await forever(signal);
    },
    // deno-lint-ignore require-yield
    async *everything() {
      await refuse("list the runs")();
    },
    health: () => Promise.resolve({ healthy: false, version: "", message: reason }),
  };
}
