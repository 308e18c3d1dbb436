/** Records as views: what is kept turned into what is shown. */
import type { PipelineRecord, RunnerRecord, RunRecord, StatusRecord } from "./records.ts";
import { ended } from "./run_rules.ts";
import type { PipelineView, RunDetail, RunnerView, RunSummary } from "./views.ts";

/** What is known of a runner's links right now. */
export interface Presence {
  /** The active instance's connection, if there is one. */
  active?: { instanceId: string; connectedAt: string };
  standbys: number;
  /** The instanceId that was lately refused because another one is live. */
  refused?: string;
}

/** A runner as shown. `record` is undefined for one that has a token and never connected. */
export function runnerView(
  agentId: string,
  record: RunnerRecord | undefined,
  presence: Presence,
  tokenExpiresAt: string | undefined,
): RunnerView {
  const hello = record?.hello;
  return {
    agentId,
    status: presence.active === undefined ? "Inactive" : "Active",
    reason: reasonOf(record, presence),
    instanceId: presence.active?.instanceId ?? hello?.instanceId,
    version: hello?.version,
    engine: hello?.engine,
    secretsProvider: hello?.secretsProvider,
    connectedAt: presence.active?.connectedAt ?? record?.connectedAt,
    disconnectedAt: presence.active === undefined ? record?.disconnectedAt : undefined,
    lastHeartbeatAt: record?.lastHeartbeatAt,
    standbys: presence.standbys,
    inFlight: record?.heartbeat?.inFlight ?? 0,
    oldestUnacknowledgedSeconds: record?.heartbeat?.oldestUnacknowledgedSeconds ?? 0,
    clockSkewSeconds: record?.heartbeat?.clockSkewSeconds ?? 0,
    tokenExpiresAt,
  };
}

function reasonOf(record: RunnerRecord | undefined, { active, standbys, refused }: Presence): string {
  if (active !== undefined) {
    if (refused !== undefined) {
      return `Two instances: ${active.instanceId} is active, and ${refused} with the same agentId is refused`;
    }
    const engine = record?.hello?.engine;
    if (engine?.lacks.includes("jobs")) return `It can run no jobs: ${engine.message ?? "it has no engine"}`;
    return "";
  }
  if (standbys > 0) return "Only standby instances are connected: none of them has become active yet";
  if (record?.connectedAt === undefined) return "It has never connected";
  const wasCut = record.disconnectedAt === undefined || record.disconnectedAt < record.connectedAt;
  if (wasCut) return "The control plane was restarted, and the runner has not come back yet";
  return record.disconnectReason ?? "It disconnected";
}

/** A pipeline as shown; undefined for one that is deleted. */
export function pipelineView(record: PipelineRecord): PipelineView | undefined {
  if (record.deployment === "deleted") return undefined;
  const { job, known } = record;
  return {
    pipelineId: record.pipelineId,
    agentId: record.agentId,
    name: job?.name ?? known?.name ?? record.pipelineId,
    type: job?.type ?? known?.type ?? "",
    revision: record.revision,
    deployment: record.deployment,
    deploymentMessage: record.message ?? (job === undefined ? "Only the runner knows its definition" : undefined),
    enabled: job?.enabled ?? known?.enabled ?? false,
    schedule: job === undefined ? known?.schedule : job.schedule,
    timezone: job === undefined ? known?.timezone : job.timezone,
    nextRunAt: known?.nextRunAt,
    references: record.references ?? [],
  };
}

/** A run as a list shows it. */
export function runSummary(run: RunRecord): RunSummary {
  return {
    runId: run.runId,
    pipelineId: run.pipelineId,
    pipelineName: run.pipelineName,
    agentId: run.agentId,
    kind: run.kind,
    origin: run.origin,
    revision: run.revision,
    scheduledAt: run.scheduledAt,
    state: run.state ?? "commanded",
    terminal: ended(run),
    stopRequested: run.stopRequestedAt !== undefined,
    requestedAt: run.requestedAt,
    times: run.times,
    reason: run.reason,
  };
}

/** A run with its timeline. */
export function runDetail(run: RunRecord, statuses: StatusRecord[]): RunDetail {
  return {
    ...runSummary(run),
    timeline: statuses.map(({ state, rank, note, recordedAt, times, reason }) => ({
      state,
      rank,
      note,
      recordedAt,
      times,
      reason,
    })),
    diagnostics: run.diagnostics,
  };
}
