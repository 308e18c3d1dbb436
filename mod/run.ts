/** What a run is: its states, their order, and the view of it that every engine gives. */
import * as z from "zod/mini";
import "./messages.ts";

/** OpenMetadata's pipeline states (`pipelineStatus.json`), as this product uses them. */
export const RUN_STATES = ["queued", "running", "success", "partialSuccess", "failed", "stopped"] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Rank of a state: it only ever rises, and the first terminal state is final. */
export const RANK: Readonly<Record<RunState, 1 | 2 | 3>> = {
  queued: 1,
  running: 2,
  success: 3,
  partialSuccess: 3,
  failed: 3,
  stopped: 3,
};

/** True for a state that is final. */
export function isTerminal(state: RunState): boolean {
  return RANK[state] === 3;
}

/** RFC 3339 in UTC with milliseconds, as `Date.prototype.toISOString` writes it. */
export const Instant = z.string().check(
  z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/),
  // A deadline that is no time would never pass: every comparison with NaN is false.
  z.refine((text) => !Number.isNaN(Date.parse(text)), "there is no such time"),
);

/** When each stage of a run happened; a stage that has not happened is absent. */
export const RunTimes = z.object({
  /** The runner received the command. */
  received: z.optional(Instant),
  /** The engine accepted it. */
  accepted: z.optional(Instant),
  /** The run's object exists. */
  created: z.optional(Instant),
  /** The job's main process started. */
  started: z.optional(Instant),
  /** The run ended. */
  finished: z.optional(Instant),
});
export type RunTimes = z.infer<typeof RunTimes>;

/** Why a run is in its state: a short code and one human sentence. */
export const Reason = z.object({
  code: z.string().check(z.maxLength(64)),
  message: z.string().check(z.maxLength(4096)),
});
export type Reason = z.infer<typeof Reason>;

/** The facts behind a failure. All texts are redacted before they leave the cluster. */
export const Diagnostics = z.object({
  exitCode: z.optional(z.int()),
  signal: z.optional(z.string()),
  /** The last lines of the job's log. */
  lastLines: z.optional(z.array(z.string())),
  /** Other facts by name: pod phase, container states, last events. */
  facts: z.optional(z.record(z.string(), z.string())),
});
export type Diagnostics = z.infer<typeof Diagnostics>;

/** A UUID in lower case: chosen by the control plane, or made of the slot of a schedule. */
export const RunId = z.string().check(z.regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/));
/** The last revision there is: one more would leave what every reader and database takes as a whole number. */
export const LAST_REVISION = 2_147_483_647;
/** Rises with every change of a pipeline. */
export const Revision = z.int().check(z.nonnegative(), z.maximum(LAST_REVISION));
export const JobKind = z.enum(["pipeline", "automation", "application"]);
export type JobKind = z.infer<typeof JobKind>;
export const Origin = z.enum(["command", "schedule"]);
export type Origin = z.infer<typeof Origin>;

/** A run as an engine sees it, and as the protocol tells it. */
export const Run = z.object({
  runId: RunId,
  pipelineId: z.string().check(z.minLength(1), z.maxLength(512)),
  /** The revision of the pipeline whose content the run carries. */
  revision: Revision,
  kind: JobKind,
  origin: Origin,
  /** The slot of the schedule, for `origin: schedule`. */
  scheduledAt: z.optional(Instant),
  state: z.enum(RUN_STATES),
  times: RunTimes,
  reason: z.optional(Reason),
  diagnostics: z.optional(Diagnostics),
});
export type Run = z.infer<typeof Run>;
