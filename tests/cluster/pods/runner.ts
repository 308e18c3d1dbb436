/**
 * A runner's engine in this process, made of settings as a deployment would make it, with everything kept that it told
 * and when: what the suites of real pods work with.
 */
import { createClusterAccess } from "../../../adapters/cluster/access.ts";
import type { ClusterAccess } from "../../../adapters/cluster/port.ts";
import { systemClock } from "../../../adapters/clock.ts";
import { argoDialect } from "../../../adapters/engine/argo/dialect.ts";
import type { Dialect } from "../../../adapters/engine/cluster/dialect.ts";
import { type ClusterEngine, createClusterEngine } from "../../../adapters/engine/cluster/engine.ts";
import { kubernetesDialect } from "../../../adapters/engine/kubernetes/dialect.ts";
import { createJobPods } from "../../../adapters/engine/pod/pods.ts";
import type { JobPods } from "../../../adapters/engine/pod/port.ts";
import { podSettings } from "../../../adapters/engine/pod/settings.ts";
import { readSettings, type Settings } from "../../../adapters/settings.ts";
import type { Job } from "../../../mod/job.ts";
import type { EngineEvent, StartRequest } from "../../../mod/ports.ts";
import { isTerminal, type Run } from "../../../mod/run.ts";
import { until } from "../../wait.ts";
import { imageOf } from "../images.ts";
import type { World } from "../world.ts";

/** A view as it was told. */
export interface Told {
  /** Milliseconds since the epoch. */
  at: number;
  run: Run;
}

/** The engine of one runner, and its ear. */
export interface TestRunner {
  readonly engine: ClusterEngine;
  readonly agentId: string;
  readonly dialect: Dialect;
  /** Every view in its order, by runId. */
  readonly told: ReadonlyMap<string, readonly Told[]>;
  /** What the engine logged, a line each. */
  readonly logged: readonly string[];
  /** Resolves when all that existed was told. */
  readonly listed: Promise<void>;
  /** Starts a run of the job alone; its runId. */
  run(job: Job, request?: Partial<StartRequest>): Promise<string>;
  /** The first view of the run that fits. */
  heard(runId: string, what: string, fits: (run: Run) => boolean, patienceMs?: number): Promise<Told>;
  /** The view of the run's end. */
  end(runId: string, patienceMs?: number): Promise<Told>;
  close(): Promise<void>;
}

export interface RunnerOptions {
  /** Rows of the settings file, by pipeline type. */
  rows?: Record<string, unknown>;
  /** Further variables of the runner's environment. */
  env?: Record<string, string>;
  /** Files that the variables name. */
  files?: Record<string, string>;
  agentId?: string;
  /** Another namespace than the world's. */
  namespace?: string;
  /** Another way to the cluster than the world's own; whoever gives it closes it. */
  access?: ClusterAccess;
}

const never = new AbortController().signal;
const DIALECTS = { argo: argoDialect, kubernetes: kubernetesDialect } as const;
const SETTINGS = "/settings.yaml";

/** The pods that a runner of these settings makes in the world. Fault `invalid` for settings that are none. */
export async function jobPodsOf(
  world: World,
  { rows = {}, env = {}, files = {} }: RunnerOptions = {},
  agentId = "test",
): Promise<{ settings: Settings; pods: JobPods }> {
  const variables: Record<string, string> = {
    ...{
      AGENT_ID: agentId,
      SERVER_URL: "wss://nowhere.example.com",
      AUTH_TOKEN: "none",
      SECRETS_MANAGER: "kubernetes",
    },
    ...{ EXECUTOR_TYPE: world.engine === "argo" ? "argo" : "simpleK8s", INGESTION_NAMESPACE: world.namespace },
    ...{ HYBRID_RUNNER_IMAGE: imageOf("runner"), INGESTION_IMAGE: imageOf("openMetadata") },
    ...{ INGESTION_CPU_REQUEST: "10m", INGESTION_MEMORY_REQUEST: "16Mi", INGESTION_MEMORY_LIMIT: "128Mi" },
    ...{ INGESTION_AUTOMATION_WORKFLOW_CPU_REQUEST: "10m", INGESTION_AUTOMATION_WORKFLOW_MEMORY_REQUEST: "16Mi" },
    HYBRID_RUNNER_SETTINGS: SETTINGS,
    ...env,
  };
  const text = JSON.stringify({
    ingestion: { pipelineTypes: { default: { imagePullPolicy: "IfNotPresent" }, ...rows } },
  });
  const read = (name: string) => variables[name];
  const { settings } = await readSettings(
    read,
    (path) => path === SETTINGS ? text : files[path] ?? Deno.readTextFileSync(path),
  );
  const place = { engine: world.engine, namespace: world.namespace, env: read };
  return { settings, pods: createJobPods(podSettings(settings, place)) };
}

/** A runner of its own in the world. */
export async function openRunner(world: World, options: RunnerOptions = {}): Promise<TestRunner> {
  const agentId = options.agentId ?? `test-${crypto.randomUUID()}`;
  const { settings, pods } = await jobPodsOf(world, options, agentId);
  const { namespace = world.namespace } = options, dialect = DIALECTS[world.engine];
  const logged: string[] = [], told = new Map<string, Told[]>(), ending = new AbortController();
  const { promise: listed, resolve: list } = Promise.withResolvers<void>();
  const random = { float: Math.random }, clock = systemClock;
  const access = options.access ?? createClusterAccess(world.config, { clock, random, log: () => {} });
  const engine = createClusterEngine({
    ...{ agentId, access, namespace, dialect, pods, clock, random },
    log: (level, event, fields) => void logged.push(`${level} ${event} ${shown(fields)}`),
    ttlSeconds: 3600,
    startDeadlineSeconds: settings.startDeadlineSeconds,
  });
  const ear = listen(engine.runs(ending.signal), told, list).catch((error) => {
    if (!ending.signal.aborted) throw error;
  });

  async function heard(runId: string, what: string, fits: (run: Run) => boolean, patienceMs = 90_000): Promise<Told> {
    try {
      return await until(`${what} of run ${runId}`, () => told.get(runId)?.find(({ run }) => fits(run)), {
        patienceMs,
      });
    } catch (error) {
      const last = told.get(runId)?.at(-1)?.run;
      throw new Error(`${world.engine}: no ${what}; last told: ${JSON.stringify(last)}; log: ${logged.slice(-5)}`, {
        cause: error,
      });
    }
  }

  return {
    ...{ engine, agentId, dialect, told, listed, logged, heard },
    async run(job, request = {}) {
      const runId = crypto.randomUUID();
      await engine.start({ ...requestOf(runId, job.pipelineId), job, ...request }, never);
      return request.runId ?? runId;
    },
    end: (runId, patienceMs) => heard(runId, "end", ({ state }) => isTerminal(state), patienceMs),
    async close() {
      ending.abort(new Error("the test is over"));
      await Promise.all([engine.close(), ear]);
      if (options.access === undefined) access.close();
    },
  };
}

/** A command that came a moment ago. */
export function requestOf(runId: string, pipelineId: string): StartRequest {
  return { runId, pipelineId, origin: "command", received: new Date().toISOString() };
}

/** A job; runs of it may go side by side unless said otherwise. */
export function jobOf(type: string, overrides: Partial<Job> = {}): Job {
  return {
    ...{ kind: "pipeline", pipelineId: `pipeline-${type}`, name: `A job of type ${type}`, type, revision: 1 },
    ...{ document: "{}", enabled: true, maxActiveRuns: "unlimited" },
    ...overrides,
  };
}

/** A row for a small job: a shell's script. */
export function scriptRow(script: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const command = ["/bin/sh", "-c", script];
  return { image: imageOf("job"), delivery: "file", command, terminationGracePeriodSeconds: 2, ...more };
}

async function listen(
  events: AsyncIterable<EngineEvent>,
  told: Map<string, Told[]>,
  list: () => void,
): Promise<void> {
  for await (const event of events) {
    if (event.kind === "listed") list();
    if (event.kind !== "run") continue;
    const { run } = event;
    told.set(run.runId, [...told.get(run.runId) ?? [], { at: Date.now(), run }]);
  }
}

function shown(fields: unknown): string {
  return JSON.stringify(fields, (_, value) => value instanceof Error ? String(value) : value) ?? "";
}
