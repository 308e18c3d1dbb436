/** What the control plane keeps: one record per thing. A record is what the storage holds; a view is what is shown. */
import * as z from "zod/mini";
import { Job } from "../../mod/job.ts";
import { PipelineSummary, TO_CONTROL_PLANE } from "../../mod/protocol/methods.ts";
import { Diagnostics, Instant, JobKind, Origin, Reason, RUN_STATES, RunTimes } from "../../mod/run.ts";

/** What a runner said of itself, and when it was last here. */
export const RunnerRecord = z.object({
  agentId: z.string(),
  firstSeenAt: Instant,
  hello: z.optional(TO_CONTROL_PLANE["runner.hello"].params),
  connectedAt: z.optional(Instant),
  disconnectedAt: z.optional(Instant),
  /** One sentence: what ended the last connection. */
  disconnectReason: z.optional(z.string()),
  lastHeartbeatAt: z.optional(Instant),
  heartbeat: z.optional(z.object({
    inFlight: z.int(),
    oldestUnacknowledgedSeconds: z.number(),
    clockSkewSeconds: z.number(),
  })),
  /** When this runner's last full snapshot was complete: what a restore is measured against. */
  fullSnapshotAt: z.optional(Instant),
});
export type RunnerRecord = z.infer<typeof RunnerRecord>;

/** A token that was issued here. The token itself is not kept. */
export const TokenRecord = z.object({
  jti: z.string(),
  /** unknown: one that was not issued here, and is on record only so that it is refused. */
  scope: z.enum(["runner", "operator", "unknown"]),
  /** The agentId, or the operator's name. */
  subject: z.string(),
  issuedAt: Instant,
  expiresAt: Instant,
  revokedAt: z.optional(Instant),
});
export type TokenRecord = z.infer<typeof TokenRecord>;

/** A pipeline as it is wanted, and how far the runner is with it. It is its own outbox: `change` waits for an answer. */
export const PipelineRecord = z.object({
  pipelineId: z.string(),
  agentId: z.string(),
  /** The newest revision of any change; it only rises. */
  revision: z.int(),
  /** What is wanted; absent for a pipeline that only the runner knows. */
  job: z.optional(Job),
  /** Names of the secret references in the job's document. */
  references: z.optional(z.array(z.string())),
  /** What the runner last told. */
  known: z.optional(PipelineSummary),
  /** The newest change that the runner has not answered. A newer one replaces it, so nothing superseded is resent. */
  change: z.optional(z.enum(["deploy", "toggle", "delete"])),
  /** deleted: a deletion is on record and done; such a record is kept, and not shown. */
  deployment: z.enum(["deployed", "pending", "failed", "deleting", "deleted"]),
  message: z.optional(z.string()),
});
export type PipelineRecord = z.infer<typeof PipelineRecord>;

/** The command that starts a run. Its parameters are dropped once it was answered. */
export const StartCommand = z.object({
  method: z.enum(["pipeline.run", "automation.run", "application.run", "canary.run"]),
  job: z.optional(Job),
  notAfter: Instant,
  answered: z.boolean(),
});
export type StartCommand = z.infer<typeof StartCommand>;

/** A run: what was asked, and what was told. */
export const RunRecord = z.object({
  runId: z.string(),
  pipelineId: z.string(),
  pipelineName: z.string(),
  agentId: z.string(),
  kind: JobKind,
  origin: Origin,
  revision: z.int(),
  scheduledAt: z.optional(Instant),
  requestedAt: z.optional(Instant),
  /** Absent for a run that this control plane never commanded. */
  start: z.optional(StartCommand),
  stopRequestedAt: z.optional(Instant),
  stopAnswered: z.optional(z.boolean()),
  /** Absent until the first status. */
  state: z.optional(z.enum(RUN_STATES)),
  note: z.int(),
  times: RunTimes,
  reason: z.optional(Reason),
  diagnostics: z.optional(Diagnostics),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** One status as told; (runId, rank, note) is its identity. */
export const StatusRecord = z.object({
  runId: z.string(),
  rank: z.int(),
  note: z.int(),
  state: z.enum(RUN_STATES),
  recordedAt: Instant,
  times: RunTimes,
  reason: z.optional(Reason),
  diagnostics: z.optional(Diagnostics),
});
export type StatusRecord = z.infer<typeof StatusRecord>;

/** What a schedule did: a run was minted, skipped or missed. */
export interface PipelineEventRecord {
  pipelineId: string;
  agentId: string;
  event: "minted" | "skipped" | "missed";
  scheduledAt: string;
  runId?: string;
  recordedAt: string;
}

/** Who asked for what. */
export interface AuditRecord {
  at: string;
  /** The operator's name, `runner <agentId>`, `local`, or `command line`. */
  actor: string;
  action: string;
  subject: string;
  detail?: string;
}
