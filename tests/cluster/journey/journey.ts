/**
 * A journey on a real cluster: the control plane and the runner as real processes, a namespace of their own, and a proxy
 * between the runner and the API server. Journeys of one group go side by side, each engine's beside the other's.
 */
import type { Dialect } from "../../../adapters/engine/cluster/dialect.ts";
import { createClusterAccess } from "../../../adapters/cluster/access.ts";
import { systemClock, systemRandom } from "../../../adapters/clock.ts";
import { findCluster } from "../../../adapters/cluster/config.ts";
import { ARGO_API } from "../../../adapters/engine/cluster/kinds.ts";
import { type ControlPlane, controlPlaneOn } from "../../journeys/programs.ts";
import { within } from "../../wait.ts";
import { openWorld, type World } from "../world.ts";
import { type ApiProxy, startApiProxy } from "./api_proxy.ts";
import { listObjects, type Objects } from "./objects.ts";
import { type ClusterRest, createClusterRest } from "./rest.ts";
import { type ClusterRunner, clusterRunnerOn, openGate } from "./runner.ts";

/** The engines of a cluster. */
export type EngineKind = Dialect["engine"];

/** What a journey is given. */
export interface ClusterJourney {
  /** The one that the journey is about; the runner begins with it. */
  readonly engine: EngineKind;
  readonly agentId: string;
  /** The journey's own folder on this machine. */
  readonly folder: string;
  readonly world: World;
  readonly rest: ClusterRest;
  readonly controlPlane: ControlPlane;
  /** Between the runner and the API server. */
  readonly api: ApiProxy;
  readonly runner: ClusterRunner;
  /** Everything of this runner's in the cluster. */
  objects(): Promise<Objects>;
  /** Lets the gated job of a run go on. */
  open(runId: string): Promise<void>;
  /** One line about what was measured, printed when the group has ended. */
  measured(text: string): void;
}

/** One journey, on each engine unless said otherwise. */
export interface Scenario {
  name: string;
  body(journey: ClusterJourney): Promise<void>;
  engines?: readonly EngineKind[];
  /** Settings of the runner. */
  env?: Record<string, string>;
  limitMs?: number;
  /** The runner talks to the API server itself. */
  direct?: boolean;
}

export const ENGINES: readonly EngineKind[] = ["kubernetes", "argo"];
const LIMIT_MS = 300_000;
const never = new AbortController().signal;

/** A test whose steps are the scenarios, so many at once; TEST_SCENARIO chooses some by a part of their names. */
export function clusterJourneys(title: string, scenarios: readonly Scenario[], { atOnce = 4 } = {}): void {
  const name = `cluster/journey: ${title}`;
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, sanitizeExit: true }, async (t) => {
    const served = await enginesHere();
    const only = Deno.env.get("TEST_SCENARIO") ?? "";
    const todo = scenarios.flatMap((scenario) =>
      (scenario.engines ?? ENGINES).map((engine) => ({ ...scenario, engine }))
    ).filter(({ name, engine }) => `${name}: ${engine}`.includes(only));
    const measured: string[] = [];
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
        const { engine, ...scenario } = next, name = `${scenario.name}: ${engine}`;
        const absent = served.includes(engine) ? "" : ` [skipped: the cluster does not serve ${engine}]`;
        await t.step({
          name: name + absent,
          ignore: absent !== "",
          // Steps that go side by side cannot be told apart; the test as a whole still is.
          sanitizeOps: false,
          sanitizeResources: false,
          sanitizeExit: false,
          fn: () => travel(scenario, engine, served, (text) => void measured.push(`${name}: ${text}`)),
        });
      }
    }));
    // deno-lint-ignore no-console
    for (const line of measured.sort()) console.log(line);
  });
}

/** What the cluster serves. Throws the sentence of `openWorld` where there is no cluster. */
async function enginesHere(): Promise<EngineKind[]> {
  if (!Deno.env.get("KUBECONFIG")) await openWorld({ engine: "kubernetes" });
  const config = await findCluster({ env: (name) => Deno.env.get(name) }, never);
  const access = createClusterAccess(config, { clock: systemClock, log: () => {}, random: systemRandom });
  try {
    const isArgoServed = (await access.served(ARGO_API, never)).length > 0;
    return ENGINES.filter((engine) => engine === "kubernetes" || isArgoServed);
  } finally {
    access.close();
  }
}

async function travel(
  { name, body, env = {}, limitMs = LIMIT_MS, direct = false }: Scenario,
  engine: EngineKind,
  served: readonly EngineKind[],
  measured: ClusterJourney["measured"],
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cluster-journey-" });
  const ends: (() => PromiseLike<void>)[] = [() => Deno.remove(folder, { recursive: true })];
  const outputs: (() => string)[] = [];
  const journey = async () => {
    const world = await openWorld({ engine });
    ends.push(() => world.close());
    const agentId = `journey ${world.namespace}`;
    const controlPlane = controlPlaneOn(`${folder}/control-plane`);
    ends.push(() => controlPlane.program().kill());
    outputs.push(controlPlane.output);
    await controlPlane.start();
    const api = await startApiProxy(world.config);
    ends.push(() => api[Symbol.asyncDispose]());
    const token = await controlPlane.issue(agentId);
    const port = controlPlane.port(), server = direct ? undefined : api.address;
    const runner = await clusterRunnerOn({ world, agentId, folder, token, port, env, server });
    ends.push(() => runner.program().kill());
    outputs.push(runner.output);
    await runner.start(engine);
    const rest = createClusterRest(controlPlane.address, agentId);
    await rest.runnerIs(agentId, "Active");
    const objects = () => listObjects(world, agentId, served);
    const open = (runId: string) => openGate(world, objects, runId);
    const given = { engine, agentId, folder, world, rest, controlPlane, api, runner, objects, open };
    await body({ ...given, measured });
  };
  const began = performance.now();
  try {
    await within(`the end of the journey "${name}" on ${engine}`, journey(), limitMs);
    measured(`${((performance.now() - began) / 1000).toFixed(1)} s`);
  } catch (error) {
    for (const output of outputs) show(`${name}: ${engine}`, output());
    throw error;
  } finally {
    for (const end of ends.toReversed()) {
      try {
        await end();
      } catch {
        // It was never started.
      }
    }
  }
}

function show(title: string, output: string): void {
  const lines = output.split("\n").filter((line) => !line.includes('"level":"debug"'));
  // deno-lint-ignore no-console
  console.error(`──── ${title}: the last of ${lines.length} lines ────\n${lines.slice(-60).join("\n")}`);
}
