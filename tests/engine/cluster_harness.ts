/** The harness of both cluster engines, over the fake cluster and over a real one alike. */
import type { ApiObject } from "../../adapters/cluster/target.ts";
import type { Dialect } from "../../adapters/engine/cluster/dialect.ts";
import {
  type ClusterEngine,
  type ClusterEngineOptions,
  createClusterEngine,
} from "../../adapters/engine/cluster/engine.ts";
import { CONTROLLER_REVISIONS, type Kind, PODS } from "../../adapters/engine/cluster/kinds.ts";
import { ownLabels, selectorOf } from "../../adapters/engine/cluster/marks.ts";
import { createJobPods } from "../../adapters/engine/pod/pods.ts";
import type { JobPods } from "../../adapters/engine/pod/port.ts";
import type { PipelineTypes } from "../../adapters/engine/pod/row.ts";
import { isFault } from "../../mod/fault.ts";
import type { Job } from "../../mod/job.ts";
import { runName } from "../../mod/names.ts";
import type { Log } from "../../mod/ports.ts";
import type { Behaviour, EngineHarness } from "../contract/engine.ts";
import { until } from "../wait.ts";
import type { ClusterWorld } from "./cluster_world.ts";
import { envOf, SCRIPTS } from "./local_harness.ts";

export interface ClusterHarness extends EngineHarness {
  readonly engine: ClusterEngine;
  readonly agentId: string;
  /** What the engine logged, one line each. */
  readonly logged: string[];
}

export interface ClusterHarnessOptions extends Partial<ClusterEngineOptions> {
  /** Puts something between the engine and the checks. */
  through?(engine: ClusterEngine): ClusterEngine;
}

/** An engine of an agent of its own; the world goes with the harness. */
export function makeClusterHarness(
  world: ClusterWorld,
  dialect: Dialect,
  { through = (engine) => engine, ...options }: ClusterHarnessOptions = {},
): ClusterHarness {
  const { namespace, admin, clock } = world;
  const agentId = `test-${crypto.randomUUID()}`;
  const logged: string[] = [];
  const log: Log = (level, event, fields) => logged.push(JSON.stringify({ level, event, ...fields }));
  const never = new AbortController().signal;
  const at = ({ apiVersion, resource }: Kind) => ({ apiVersion, resource, namespace });

  const make = () => {
    const access = world.connect();
    const engine = createClusterEngine({
      ...{ agentId, access, namespace, dialect, clock, log, pods: podsOf(world, dialect) },
      ...{ random: { float: Math.random }, ttlSeconds: 3600, startDeadlineSeconds: 60 },
      ...options,
    });
    const close = () => engine.close().finally(() => access.close());
    return { close, shown: through(engine) };
  };
  let made = make();

  /** Of a run by command by its name, of one that a schedule minted by its uid. */
  async function objectOf(runId: string): Promise<ApiObject> {
    const name = runName(agentId, runId);
    const found = await admin.get({ ...at(dialect.runs), name }, never).catch((error) => {
      if (!isFault(error, "not_found")) throw error;
    });
    if (found) return found;
    for await (const object of own(dialect.runs)) if (object.metadata.uid === runId) return object;
    throw new Error(`Cannot find run ${runId}: it has no object`);
  }

  const own = (kind: Kind) => admin.list(at(kind), { labelSelector: selectorOf(ownLabels(agentId)) }, never);
  const remove = (kind: Kind, name: string, gracePeriodSeconds?: number) =>
    admin.delete({ ...at(kind), name }, {
      propagationPolicy: "Background",
      ...gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
    }, never);

  return {
    get engine() {
      return made.shown;
    },
    ...{ agentId, logged },
    patienceMs: world.patienceMs,
    job: (behaviour, overrides): Job => ({
      ...{ kind: "pipeline", pipelineId: "pipeline", name: "A pipeline", type: behaviour.does, revision: 1 },
      ...{ document: behaviour.does === "echo" ? behaviour.document : "{}", enabled: true, maxActiveRuns: 1 },
      env: { ...envOf(behaviour), BEHAVIOUR: JSON.stringify(withoutDocument(behaviour)) },
      ...overrides,
    }),
    async restart() {
      await made.close();
      made = make();
    },
    async deleteRun(runId) {
      await remove(dialect.runs, (await objectOf(runId)).metadata.name);
    },
    async loseLog(runId) {
      // An engine that has not yet seen the end makes another pod of one that is gone.
      const { metadata: { name } } = await until("the engine has seen the end", async () => {
        const object = await objectOf(runId);
        return ["succeeded", "failed"].includes(dialect.facts(object)?.phase ?? "") && object;
      });
      const pods = () => Array.fromAsync(admin.list(at(PODS), { labelSelector: dialect.podsOf(name) }, never));
      for (const { metadata } of await pods()) await remove(PODS, metadata.name, 0);
      // Its controller's finalizer may hold a pod for a moment.
      await until("the pods are gone", async () => (await pods()).length === 0);
    },
    schedule: world.schedule,
    toSlot: world.toSlot,
    async close() {
      try {
        await made.close();
        // Schedules first: nothing new may come behind.
        for (const kind of [dialect.schedules, dialect.runs, CONTROLLER_REVISIONS]) {
          for (const { metadata } of await Array.fromAsync(own(kind))) {
            await remove(kind, metadata.name).catch((error) => {
              // Its owner, which went before, may have taken it along.
              if (!isFault(error, "not_found")) throw error;
            });
          }
        }
      } finally {
        await world.close();
      }
    },
  };
}

/** The document is in the Secret and nowhere else. */
function withoutDocument(behaviour: Behaviour): Record<string, unknown> {
  const { does, ...rest } = behaviour;
  return does === "echo" ? { does } : { does, ...rest };
}

/** A row for each behaviour. A shell that is PID 1 heeds no signal unless it says what to do about it. */
function rowsOf(image: string): PipelineTypes {
  // A runtime may lose what a process writes in its last moment.
  const print = `${SCRIPTS.print}; sleep 0.5`;
  const scripts = { ...SCRIPTS, print, sleep: `trap 'exit 143' TERM; echo "line 1"; sleep 600 & wait` };
  return Object.fromEntries(
    Object.entries(scripts).map((
      [does, script],
    ) => [does, { image, command: ["/bin/sh", "-c", script], delivery: "file" }]),
  );
}

function podsOf({ namespace, images, serviceAccount }: ClusterWorld, { engine }: Dialect): JobPods {
  const amounts = { requests: { cpu: "10m", memory: "16Mi" }, limits: { cpu: "500m", memory: "64Mi" } };
  return createJobPods({
    ...{ engine, serviceAccount, runnerImage: images.runner, types: rowsOf(images.job) },
    ...{ secretsManager: "kubernetes", secretsNamespace: namespace, automountToken: false, imagePullSecrets: [] },
    ...{ env: [], loaderEnv: [], resolveEnv: [], resources: amounts, automationResources: amounts },
    base: { terminationGracePeriodSeconds: 3, imagePullPolicy: "IfNotPresent" },
    workflowSpec: {},
  });
}
