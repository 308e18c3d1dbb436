/** What the control plane shows of itself: the shapes of its REST answers, and the data that its web page draws. */
import * as z from "zod/mini";
import { Diagnostics, Instant, JobKind, Origin, Reason, RUN_STATES, RunTimes } from "../../mod/run.ts";

/** A runner, as the list of Ingestion Runners shows it. */
export const RunnerView = z.object({
  agentId: z.string(),
  status: z.enum(["Active", "Inactive"]),
  /** One sentence: why it is Inactive, or what is worth knowing while it is Active (two instances, no engine…). */
  reason: z.string(),
  instanceId: z.optional(z.string()),
  version: z.optional(z.string()),
  engine: z.optional(z.object({
    kind: z.string(),
    version: z.string(),
    lacks: z.array(z.string()),
    message: z.optional(z.string()),
  })),
  secretsProvider: z.optional(z.string()),
  connectedAt: z.optional(Instant),
  disconnectedAt: z.optional(Instant),
  lastHeartbeatAt: z.optional(Instant),
  standbys: z.int(),
  /** Live runs. */
  inFlight: z.int(),
  /** Age of the oldest status that the runner could not yet deliver. */
  oldestUnacknowledgedSeconds: z.number(),
  /** The runner's clock less ours, at the last heartbeat. */
  clockSkewSeconds: z.number(),
  tokenExpiresAt: z.optional(Instant),
});
export type RunnerView = z.infer<typeof RunnerView>;

/** A pipeline as wanted here and as known at its runner. The document is not part of it. */
export const PipelineView = z.object({
  pipelineId: z.string(),
  agentId: z.string(),
  name: z.string(),
  type: z.string(),
  /** The newest revision here. */
  revision: z.int(),
  /** deployed: the runner has it; pending: not yet; failed: the runner refused it; deleting: on its way out. */
  deployment: z.enum(["deployed", "pending", "failed", "deleting"]),
  deploymentMessage: z.optional(z.string()),
  enabled: z.boolean(),
  schedule: z.optional(z.string()),
  timezone: z.optional(z.string()),
  nextRunAt: z.optional(Instant),
  /** Names of the secret references in the document. */
  references: z.array(z.string()),
});
export type PipelineView = z.infer<typeof PipelineView>;

/** A run in a list. */
export const RunSummary = z.object({
  runId: z.string(),
  pipelineId: z.string(),
  pipelineName: z.string(),
  agentId: z.string(),
  kind: JobKind,
  origin: Origin,
  revision: z.int(),
  scheduledAt: z.optional(Instant),
  /** `commanded`: asked of the runner, of which nothing was heard yet. */
  state: z.enum(["commanded", ...RUN_STATES]),
  terminal: z.boolean(),
  stopRequested: z.boolean(),
  /** When the run was asked for here. */
  requestedAt: z.optional(Instant),
  times: RunTimes,
  reason: z.optional(Reason),
});
export type RunSummary = z.infer<typeof RunSummary>;

/** One status as it was told, in the order in which it was written. */
export const TimelineEntry = z.object({
  state: z.enum(RUN_STATES),
  rank: z.int(),
  note: z.int(),
  /** When this control plane wrote it. */
  recordedAt: Instant,
  times: RunTimes,
  reason: z.optional(Reason),
});
export type TimelineEntry = z.infer<typeof TimelineEntry>;

/** A run with everything that is known of it. */
export const RunDetail = z.extend(RunSummary, {
  timeline: z.array(TimelineEntry),
  diagnostics: z.optional(Diagnostics),
});
export type RunDetail = z.infer<typeof RunDetail>;

/** What Server-Sent Events tell on `/api/v1/events`: something changed, and how it is now. */
export type Change =
  | { event: "runner"; data: RunnerView }
  | { event: "pipeline"; data: PipelineView }
  | { event: "run"; data: RunSummary };

/** What Server-Sent Events tell on a run's log. */
export type LogEvent =
  | { event: "lines"; data: { cursor: string; lines: string[] } }
  | { event: "gap"; data: { from: string; to: string } }
  | { event: "end"; data: { reason: "finished" | "gone" | "not-following" | "failed"; message?: string } };
