/** A small world for the web page's tests: two runners, two pipelines, runs of every kind. */
import type { PageData } from "../../control-plane/mod/page_data.ts";
import type { PipelineView, RunDetail, RunnerView } from "../../control-plane/mod/views.ts";

/** The moment at which the scene is looked at. */
export const NOW = new Date("2026-03-04T12:10:00.000Z");

/** Everything that the page can be asked for; tests change it as they like. */
export interface Scene {
  runners: RunnerView[];
  pipelines: PipelineView[];
  runs: RunDetail[];
}

/** A scene as a `PageData`. */
export function dataOf(scene: Scene): PageData {
  const newest = (run: RunDetail) => run.requestedAt ?? run.scheduledAt ?? "";
  return {
    runners: () => Promise.resolve(scene.runners),
    runner: (id) => Promise.resolve(scene.runners.find(({ agentId }) => agentId === id)),
    pipelines: ({ agentId }) =>
      Promise.resolve(scene.pipelines.filter((pipeline) => agentId === undefined || pipeline.agentId === agentId)),
    pipeline: (id) => Promise.resolve(scene.pipelines.find(({ pipelineId }) => pipelineId === id)),
    runs: ({ pipelineId, agentId, limit }) =>
      Promise.resolve(
        scene.runs.filter((run) =>
          (pipelineId === undefined || run.pipelineId === pipelineId) &&
          (agentId === undefined || run.agentId === agentId)
        ).sort((a, b) => newest(b).localeCompare(newest(a))).slice(0, limit),
      ),
    run: (id) => Promise.resolve(scene.runs.find(({ runId }) => runId === id)),
  };
}

/** An instant, in seconds before `base`. */
export function ago(seconds: number, base: Date = NOW): string {
  return new Date(base.getTime() - seconds * 1000).toISOString();
}

export const RUNNING = "0b9f1c52-6f0e-4a3c-9a51-3f1f0d7e8a01";
export const FAILED = "1c2d3e4f-0a1b-4c2d-8e3f-4a5b6c7d8e02";
export const DONE = "2d3e4f50-1b2c-4d3e-9f40-5b6c7d8e9f03";
export const ASKED = "3e4f5061-2c3d-4e4f-8051-6c7d8e9f0a04";

/** The address of every page that the scene fills. */
export const PAGES: readonly string[] = [
  "/",
  "/runners/berlin",
  "/runners/oslo",
  "/pipelines/warehouse_metadata",
  "/pipelines/crm_profiler",
  `/runs/${RUNNING}`,
  `/runs/${FAILED}`,
  `/runs/${DONE}`,
  `/runs/${ASKED}`,
];

/** The scene that the screenshots show. */
export function scene(base: Date = NOW): Scene {
  const at = (seconds: number) => ago(seconds, base);
  return { runners: runners(at), pipelines: pipelines(at), runs: [running(at), failed(at), done(at), asked(at)] };
}

type At = (seconds: number) => string;

function runners(at: At): RunnerView[] {
  return [
    {
      agentId: "berlin",
      status: "Active",
      reason: "",
      instanceId: "berlin-7d4c9b-x2k8p",
      version: "0.1.0",
      engine: { kind: "argo", version: "3.7.2", lacks: [] },
      secretsProvider: "kubernetes",
      connectedAt: at(86_000),
      lastHeartbeatAt: at(6),
      standbys: 1,
      inFlight: 2,
      oldestUnacknowledgedSeconds: 0,
      clockSkewSeconds: 0.2,
      tokenExpiresAt: at(-86_400 * 60),
    },
    {
      agentId: "oslo",
      status: "Inactive",
      reason: "No heartbeat for 4 minutes; the connection was closed by the runner (4400, the program is stopping).",
      version: "0.1.0",
      engine: {
        kind: "local",
        version: "0.1.0",
        lacks: ["resources", "schedules"],
        message: "schedules live while it runs",
      },
      secretsProvider: "file",
      disconnectedAt: at(240),
      lastHeartbeatAt: at(251),
      standbys: 0,
      inFlight: 0,
      oldestUnacknowledgedSeconds: 34,
      clockSkewSeconds: -7.4,
      tokenExpiresAt: at(-86_400 * 5),
    },
  ];
}

function pipelines(at: At): PipelineView[] {
  return [
    {
      pipelineId: "warehouse_metadata",
      agentId: "berlin",
      name: "warehouse metadata",
      type: "metadata",
      revision: 4,
      deployment: "deployed",
      enabled: true,
      schedule: "0 */2 * * *",
      timezone: "Europe/Berlin",
      nextRunAt: at(-6600),
      references: ["secret:/collate/hybrid-ingestion-runner/warehouse-password", "secret:/collate/openmetadata-token"],
    },
    {
      pipelineId: "crm_profiler",
      agentId: "berlin",
      name: "crm profiler",
      type: "profiler",
      revision: 1,
      deployment: "failed",
      deploymentMessage:
        'Cannot deploy pipeline "crm profiler": the policy allows no image outside of registry.internal.',
      enabled: false,
      schedule: "30 4 * * 1",
      references: [],
    },
  ];
}

function base(runId: string): Omit<RunDetail, "state" | "terminal" | "times"> {
  return {
    runId,
    pipelineId: "warehouse_metadata",
    pipelineName: "warehouse metadata",
    agentId: "berlin",
    kind: "pipeline",
    origin: "command",
    revision: 4,
    stopRequested: false,
    timeline: [],
  };
}

function running(at: At): RunDetail {
  const times = { received: at(182), accepted: at(181.7), created: at(181.2), started: at(64) };
  return {
    ...base(RUNNING),
    state: "running",
    terminal: false,
    requestedAt: at(182.1),
    times,
    timeline: [
      {
        state: "queued",
        rank: 1,
        note: 0,
        recordedAt: at(181.5),
        times: { received: times.received, accepted: times.accepted },
      },
      {
        state: "queued",
        rank: 1,
        note: 1,
        recordedAt: at(170),
        times,
        reason: { code: "Unschedulable", message: "No node has 4Gi of memory free; 2 nodes were looked at." },
      },
      {
        state: "queued",
        rank: 1,
        note: 2,
        recordedAt: at(95),
        times,
        reason: { code: "Pulling", message: "The image is being pulled (1.9 GB)." },
      },
      { state: "running", rank: 2, note: 0, recordedAt: at(63.5), times },
    ],
  };
}

function failed(at: At): RunDetail {
  const times = { received: at(3999), accepted: at(3998.8), created: at(3998), started: at(3990), finished: at(3459) };
  return {
    ...base(FAILED),
    state: "failed",
    terminal: true,
    requestedAt: at(4000),
    times,
    reason: { code: "OOMKilled", message: "The job's container used more than its 2Gi of memory and was killed." },
    diagnostics: {
      exitCode: 137,
      signal: "SIGKILL",
      lastLines: [
        "INFO  reading schema public",
        "INFO  412 tables",
        "WARN  sampling table events (1.2e9 rows)",
        "Killed",
      ],
      facts: { "Pod phase": "Failed", "Last event": "Warning OOMKilling: Memory cgroup out of memory" },
    },
    timeline: [{ state: "failed", rank: 3, note: 0, recordedAt: at(3458), times }],
  };
}

function done(at: At): RunDetail {
  return {
    ...base(DONE),
    origin: "schedule",
    state: "success",
    terminal: true,
    scheduledAt: at(9000),
    times: { created: at(8999), started: at(8992), finished: at(8700) },
    timeline: [],
  };
}

function asked(at: At): RunDetail {
  return {
    ...base(ASKED),
    pipelineId: "crm_profiler",
    pipelineName: "crm profiler",
    state: "commanded",
    terminal: false,
    requestedAt: at(20),
    times: {},
    timeline: [],
  };
}
