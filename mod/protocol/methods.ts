/**
 * The control protocol `hybrid-runner.v1`: every method, its direction, its parameters and its answer. This is the one
 * source: both programs validate with it, and `docs/schema/` is generated from it. Unknown members are ignored, so
 * that a newer peer does not break an older one.
 */
import * as z from "zod/mini";
import { Job } from "../job.ts";
import { Instant, Revision, Run, RunId } from "../run.ts";

/** The WebSocket subprotocol; it alone decides the version. */
export const SUBPROTOCOL = "hybrid-runner.v1";
/** The path that is dialled where SERVER_URL has none. */
export const DEFAULT_PATH = "/runner/v1/connect";

/** Defaults of what `runner.hello` negotiates. */
export const LIMITS = {
  frameBytes: 4 * 1024 * 1024,
  logChunkBytes: 64 * 1024,
  logLineBytes: 256 * 1024,
  logWindowBytes: 1024 * 1024,
  snapshotPage: 200,
  heartbeatSeconds: 15,
} as const;

const Text = z.string().check(z.maxLength(4096));
const Id = z.string().check(z.minLength(1), z.maxLength(512));
const StreamId = z.string().check(z.minLength(1), z.maxLength(128));
/** An engine's own position in a log; opaque to the reader. */
const Cursor = z.string().check(z.maxLength(512));
const Empty = z.object({});
/** A job as a plain object, or as a compact JWS whose payload is that object. */
const JobContent = z.union([Job, z.string().check(z.regex(/^[\w-]+\.[\w-]+\.[\w-]+$/))]);

/** `log.open` reaches for a run, or for a pipeline's newest run. */
const LogOpen = z.object({
  streamId: StreamId,
  runId: z.optional(RunId),
  pipelineId: z.optional(Id),
  follow: z.boolean(),
  cursor: z.optional(Cursor),
  /** Bytes of log text that may be under way unanswered. */
  window: z.int().check(z.minimum(1024), z.maximum(64 * 1024 * 1024)),
}).check(z.refine((open) => (open.runId === undefined) !== (open.pipelineId === undefined), {
  error: "exactly one of runId and pipelineId is wanted",
  path: ["runId"],
}));

/** A run's state as told: (runId, rank of the state, note) is its identity. */
export const RunStatus = z.extend(Run, {
  /** Rises while reason or diagnostics change within one non-terminal state. */
  note: z.int().check(z.nonnegative()),
});
export type RunStatus = z.infer<typeof RunStatus>;

export const PipelineSummary = z.object({
  pipelineId: Id,
  /** The newest revision of any command. */
  revision: Revision,
  /** The revision whose content is in force. */
  deployedRevision: Revision,
  name: z.string(),
  type: z.string(),
  enabled: z.boolean(),
  schedule: z.optional(z.string()),
  timezone: z.optional(z.string()),
  nextRunAt: z.optional(Instant),
  lastRunAt: z.optional(Instant),
});
export type PipelineSummary = z.infer<typeof PipelineSummary>;

const RunAccepted = z.object({
  runId: RunId,
  /** The run's state at the answer. */
  state: Run.shape.state,
  /** True if a stop overtook the start: the run never runs and is told as `stopped`. */
  stopped: z.optional(z.boolean()),
});

const OwnJobRun = z.object({ runId: RunId, notAfter: Instant, job: JobContent });

/**
 * One method whose schemas are made when they are first used: the whole table at once would cost every start some
 * milliseconds and megabytes, and most methods are never called.
 */
function method<P extends z.ZodMiniType, R extends z.ZodMiniType>(
  params: () => P,
  result: () => R,
): { readonly params: P; readonly result: R } {
  let madeParams: P | undefined, madeResult: R | undefined;
  return {
    get params(): P {
      return madeParams ??= params();
    },
    get result(): R {
      return madeResult ??= result();
    },
  };
}

/** Requests that the runner makes of the control plane. */
export const TO_CONTROL_PLANE = {
  "runner.hello": method(() =>
    z.object({
      agentId: Id,
      instanceId: z.string().check(z.minLength(1), z.maxLength(64)),
      role: z.enum(["active", "standby"]),
      /** Transitions of the Lease; 0 without one. */
      epoch: z.int().check(z.nonnegative()),
      version: Text,
      engine: z.object({
        kind: z.string().check(z.maxLength(32)),
        version: Text,
        lacks: z.array(z.string()),
        /** Why there is no working engine, where there is none. */
        message: z.optional(Text),
      }),
      secretsProvider: z.string().check(z.maxLength(64)),
      features: z.array(z.string()),
      capacity: z.object({ maxRuns: z.optional(z.int().check(z.positive())) }),
      clock: Instant,
      /** How long a terminal, acknowledged run's object lives at least: the furthest that a `notAfter` may lie away. */
      objectLifeSeconds: z.int().check(z.minimum(600)),
      /** The largest frame that the runner takes. */
      frameBytes: z.int().check(z.minimum(64 * 1024)),
    }), () =>
    z.object({
      sessionId: z.string(),
      heartbeatSeconds: z.number().check(z.positive()),
      limits: z.object({ frameBytes: z.int(), snapshotPage: z.int().check(z.positive()) }),
      serverVersion: z.string(),
      clock: Instant,
      /** The snapshot is to include acknowledged runs that still exist (after a restore). */
      full: z.boolean(),
    })),
  "runner.heartbeat": method(() =>
    z.object({
      inFlight: z.int().check(z.nonnegative()),
      /** Free places for runs, where there is a maximum. */
      free: z.optional(z.int().check(z.nonnegative())),
      oldestUnacknowledgedSeconds: z.number().check(z.nonnegative()),
      clock: Instant,
    }), () => z.object({ clock: Instant, standbys: z.optional(z.int()) })),
  "runs.snapshot": method(() =>
    z.object({
      snapshotId: z.string().check(z.maxLength(64)),
      /** 0, 1, 2…; the answer to the page with `last` may hold `missing`. */
      page: z.int().check(z.nonnegative()),
      last: z.boolean(),
      runs: z.array(RunStatus).check(z.maxLength(1000)),
      /** Only after the answer's `missing`, on a page of its own: those that a live look did not find. */
      absent: z.optional(z.array(RunId).check(z.maxLength(10000))),
    }), () =>
    z.object({
      /** Runs that are to be stopped, since a stop is on record; every other one is kept. */
      decisions: z.array(z.object({ runId: RunId, verdict: z.enum(["keep", "stop"]) })),
      missing: z.optional(z.array(RunId)),
    })),
  "pipelines.snapshot": method(() =>
    z.object({
      snapshotId: z.string().check(z.maxLength(64)),
      page: z.int().check(z.nonnegative()),
      last: z.boolean(),
      pipelines: z.array(PipelineSummary).check(z.maxLength(1000)),
    }), () =>
    z.object({
      decisions: z.array(z.object({ pipelineId: Id, verdict: z.enum(["keep", "deploy", "delete"]) })),
    })),
  "run.status": method(() => RunStatus, () => Empty),
  "log.chunk": method(() =>
    z.object({
      streamId: StreamId,
      /** Resumes after what this chunk holds. */
      cursor: Cursor,
      lines: z.optional(z.array(z.string())),
      /** What lies between was lost before it could be read. */
      gap: z.optional(z.object({ from: Cursor, to: Cursor })),
      /** The stream's last chunk. */
      end: z.optional(
        z.object({ reason: z.enum(["finished", "gone", "not-following", "failed"]), message: z.optional(Text) }),
      ),
    }), () =>
    z.object({
      /** Bytes that may be sent in addition: given when the reader has taken the chunk. */
      credit: z.int().check(z.nonnegative()),
    })),
  "pipeline.event": method(() =>
    z.object({
      pipelineId: Id,
      event: z.enum(["minted", "skipped", "missed"]),
      scheduledAt: Instant,
      runId: z.optional(RunId),
    }), () => Empty),
} as const;

/** Requests that the control plane makes of the runner. */
export const TO_RUNNER = {
  "pipeline.deploy": method(() => z.object({ revision: Revision, job: JobContent }), () => PipelineSummary),
  "pipeline.delete": method(() => z.object({ pipelineId: Id, revision: Revision }), () => Empty),
  "pipeline.toggle": method(
    () => z.object({ pipelineId: Id, revision: Revision, enabled: z.boolean() }),
    () => PipelineSummary,
  ),
  "pipeline.run": method(() =>
    z.object({
      runId: RunId,
      pipelineId: Id,
      notAfter: Instant,
      /** The deployed revision that is meant; another one in force is a `conflict`. */
      revision: z.optional(Revision),
      /** Ad-hoc configuration in place of the deployed one. */
      job: z.optional(JobContent),
    }), () => RunAccepted),
  "run.stop": method(
    () => z.object({ runId: RunId, notAfter: Instant }),
    () => z.object({ runId: RunId, state: z.optional(Run.shape.state), stopped: z.boolean() }),
  ),
  "pipeline.stop": method(() => z.object({ pipelineId: Id }), () => z.object({ runIds: z.array(RunId) })),
  "pipeline.status": method(
    () => z.object({ pipelineId: Id }),
    () => z.object({ pipeline: z.optional(PipelineSummary), runs: z.array(Run) }),
  ),
  "log.open": method(() => LogOpen, () => z.object({ streamId: StreamId, runId: RunId })),
  "log.close": method(() => z.object({ streamId: StreamId }), () => Empty),
  "automation.run": method(() => OwnJobRun, () => RunAccepted),
  "application.run": method(() => OwnJobRun, () => RunAccepted),
  "service.status": method(() => Empty, () =>
    z.object({
      version: z.string(),
      engine: z.object({ kind: z.string(), version: z.string(), healthy: z.boolean(), message: z.string() }),
      /** Addresses to allow-list at a source, where they can be known. */
      hostAddresses: z.array(z.string()),
    })),
  "job.plan": method(() => z.object({ job: JobContent }), () =>
    z.object({
      manifests: z.array(z.unknown()),
      verdict: z.object({ allowed: z.boolean(), rule: z.string() }),
    })),
  "canary.run": method(() => z.object({ runId: RunId, notAfter: Instant }), () => RunAccepted),
  "server.goodbye": method(
    () => z.object({ afterSeconds: z.number().check(z.nonnegative(), z.maximum(3600)) }),
    () => Empty,
  ),
} as const;

export type ToControlPlane = typeof TO_CONTROL_PLANE;
export type ToRunner = typeof TO_RUNNER;

/** A table of methods by name. */
export type Methods = Record<string, { params: z.ZodMiniType; result: z.ZodMiniType }>;
export type Params<M extends Methods, K extends keyof M> = z.infer<M[K]["params"]>;
export type Result<M extends Methods, K extends keyof M> = z.infer<M[K]["result"]>;
