import { createLocalEngine, type LocalEngine, type LocalEngineOptions } from "../../adapters/engine/local/engine.ts";
import type { Job } from "../../mod/job.ts";
import { agentHash, runName } from "../../mod/names.ts";
import type { Log } from "../../mod/ports.ts";
import type { Behaviour, EngineHarness } from "../contract/engine.ts";
import { createSteppingClock, type SteppingClock } from "./stepping_clock.ts";

export const AGENT = "test-agent";

export interface LocalHarness extends EngineHarness {
  readonly engine: LocalEngine;
  readonly clock: SteppingClock;
  readonly stateDir: string;
  /** What the engine logged, one line each. */
  readonly logged: string[];
  runFolder(runId: string): string;
}

/** Shell scripts, so that a job starts at once; their settings come as the job's environment. */
export const SCRIPTS: Record<Behaviour["does"], string> = {
  succeed: `i=0; while [ $i -lt "\${LINES_WANTED:-0}" ]; do i=$((i+1)); echo "line $i"; done`,
  fail: `i=0; while [ $i -lt "$LINES_WANTED" ]; do i=$((i+1)); echo "line $i"; done; exit "$EXIT_CODE"`,
  sleep: `echo "line 1"; sleep 600`,
  "ignore-term": `trap '' TERM; echo "line 1"; while :; do sleep 1; done`,
  print: `i=0; while [ $i -lt "$LINES_WANTED" ]; do [ -n "$EVERY" ] && [ $i -gt 0 ] && sleep "$EVERY"; i=$((i+1)); ` +
    `echo "line $i"; done`,
  partial: `printf '{"state":"partialSuccess"}' > "$HYBRID_RUNNER_TERMINATION_LOG"`,
  echo: `cat "$HYBRID_RUNNER_CONFIG"`,
};

/** The local engine on a folder of its own, with real processes. */
export async function makeLocalHarness(options: Partial<LocalEngineOptions> = {}): Promise<LocalHarness> {
  const stateDir = await Deno.makeTempDir({ prefix: "local-engine-" });
  const clock = createSteppingClock();
  const logged: string[] = [];
  const log: Log = (level, event, fields) => logged.push(JSON.stringify({ level, event, ...fields }));
  const shell = (script: string) => ({ command: "/bin/sh", args: ["-c", script] });
  const commands = Object.fromEntries(Object.entries(SCRIPTS).map(([name, script]) => [name, shell(script)]));
  const secrets = { SECRETS_MANAGER: "file", SECRETS_DIR: stateDir };
  const make = () =>
    createLocalEngine({ agentId: AGENT, stateDir, commands, secrets, clock, log, graceSeconds: 1, ...options });
  let engine = await make();
  const runFolder = (runId: string) => `${stateDir}/${agentHash(AGENT)}/runs/${runName(AGENT, runId)}`;
  return {
    get engine() {
      return engine;
    },
    ...{ clock, stateDir, logged, runFolder },
    patienceMs: 30_000,
    job: (behaviour, overrides): Job => ({
      ...{ kind: "pipeline", pipelineId: "pipeline", name: "A pipeline", type: behaviour.does, revision: 1 },
      ...{ document: behaviour.does === "echo" ? behaviour.document : "{}", enabled: true, maxActiveRuns: 1 },
      env: envOf(behaviour),
      ...overrides,
    }),
    async restart() {
      await engine.close();
      engine = await make();
    },
    deleteRun: (runId) => Deno.remove(runFolder(runId), { recursive: true }),
    loseLog: (runId) => Deno.remove(`${runFolder(runId)}/log`),
    schedule: "0 0 1 1 *",
    toSlot: (slot) => Promise.resolve(clock.advance(Date.parse(slot) - clock.now() + 50)),
    async close() {
      await stopAll(engine).finally(() => engine.close());
      await Deno.remove(stateDir, { recursive: true });
    },
  };
}

/** No process of a test outlives it, however the test went. */
async function stopAll(engine: LocalEngine): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  for (let live = true; live;) {
    live = false;
    for await (const run of engine.everything(signal)) {
      if (run.times.finished !== undefined) continue;
      live = true;
      await engine.stop(run.runId, signal);
    }
    if (live) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The settings of a behaviour's script. */
export function envOf(behaviour: Behaviour): Record<string, string> {
  const env: Record<string, string> = {};
  if ("lines" in behaviour) env["LINES_WANTED"] = String(behaviour.lines ?? 0);
  if ("exitCode" in behaviour) env["EXIT_CODE"] = String(behaviour.exitCode);
  if ("everyMs" in behaviour) env["EVERY"] = behaviour.everyMs > 0 ? String(behaviour.everyMs / 1000) : "";
  return env;
}
