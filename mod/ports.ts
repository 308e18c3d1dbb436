/**
 * Every port of the runner on one page: types only. What touches the world implements one of these in `adapters/`;
 * the core in `mod/` knows nothing else of the world. Every wait takes an AbortSignal and ends with its reason.
 */
import type { Job } from "./job.ts";
import type { Origin, Run } from "./run.ts";
import type { Secret } from "./secrets/secret.ts";

// ── Time and chance ────────────────────────────────────────────────────────────────────────────────────────────────

/** Time and waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Chance: unique names, and jitter. */
export interface Random {
  /** A version 4 UUID. */
  uuid(): string;
  /** A number in [0, 1). */
  float(): number;
}

// ── The control channel: text frames over one link ─────────────────────────────────────────────────────────────────

/** The way to the control plane. */
export interface Channel {
  /**
   * Dials once. Faults: `denied` (the token was refused), `unavailable` (no way to the server, and why),
   * `malformed` (whatever answers is no server of this protocol), `invalid` (the token cannot be used).
   */
  dial(signal: AbortSignal): Promise<Connection>;
}

/** Where the runner's own token comes from. */
export interface TokenSource {
  /** The token as it is now; re-read each time. Faults: `unavailable` (absent, unreadable, empty). */
  read(signal: AbortSignal): Promise<string>;
  /** Resolves when the token is another than at the last `read`; waits without end for one that cannot change. */
  changed(signal: AbortSignal): Promise<void>;
}

/** One open link of text frames, either end of it. */
export interface Connection {
  /** Queues one text frame. Throws `unavailable` when the link is no longer open: a frame is never dropped in silence. */
  send(text: string): void;
  /** Bytes handed over and not yet sent. */
  readonly buffered: number;
  /** The peer's text frames in order; ends when the link is closed. */
  readonly frames: AsyncIterable<string>;
  /** Resolves once, with what ended the link. */
  readonly closed: Promise<Closed>;
  /** Closes in an orderly way; resolves `closed` at the latest a few seconds later even if the peer is silent. */
  close(code: number, reason: string): void;
  /** Gives the link up at once: half-open links never answer a close. */
  abandon(reason: string): void;
}

/** What ended a link: a close code of RFC 6455, section 7.4 (1006 where none came) and its reason. */
export interface Closed {
  code: number;
  reason: string;
}

// ── The workflow engine: what runs jobs ────────────────────────────────────────────────────────────────────────────

/** Same meaning on every engine; `tests/contract/engine.ts` is the definition. */
export interface Engine {
  readonly description: EngineDescription;
  /** Puts a pipeline's revision in force. Older than what is there, or same revision with other content: `conflict`. */
  deploy(job: Job, signal: AbortSignal): Promise<PipelineView>;
  /** Stops the pipeline's runs and takes everything of it away. Nothing there is a success. */
  remove(pipelineId: string, revision: number, signal: AbortSignal): Promise<void>;
  /** Turns the schedule on or off. Faults: `not_found`, `conflict` (older revision). */
  enable(pipelineId: string, revision: number, on: boolean, signal: AbortSignal): Promise<PipelineView>;
  /** What is deployed now. */
  pipelines(signal: AbortSignal): Promise<PipelineView[]>;
  /**
   * Creates the run's object, named by the runId. Already there with the same content: answers it; with other
   * content: `conflict`. Without `job` the run carries the pipeline's newest revision (`not_found` if none is deployed).
   */
  start(request: StartRequest, signal: AbortSignal): Promise<Run>;
  /** Asks a run to end as `stopped`. Already ended: answers what is. `not_found` if there is no such object. */
  stop(runId: string, signal: AbortSignal): Promise<Run>;
  /** The object as it is now, acknowledged or not (a live look, no cache); undefined if there is none. */
  find(runId: string, signal: AbortSignal): Promise<Run | undefined>;
  /** Marks a terminal run as told, so that it may be cleaned away after the configured time. Repeats are harmless. */
  acknowledge(runId: string, signal: AbortSignal): Promise<void>;
  /**
   * First every run that exists and is not acknowledged, then `listed`, then each change, until aborted. A run whose
   * object is deleted before it ended is told once more as `stopped` or `failed`. A consumer that is slow loses
   * intermediate views, never the last one.
   */
  runs(signal: AbortSignal): AsyncIterable<EngineEvent>;
  /** Every run that exists, acknowledged ones included, in no order. */
  everything(signal: AbortSignal): AsyncIterable<Run>;
  health(signal: AbortSignal): Promise<EngineHealth>;
}

/** What an engine is, as hello tells it. */
export interface EngineDescription {
  kind: "local" | "argo" | "kubernetes" | "memory" | "none";
  version: string;
  /** What this engine cannot do, by name; the contract suite skips exactly these checks. */
  lacks: readonly EngineLack[];
}
export type EngineLack = "schedules-while-away" | "logs" | "diagnose" | "jobs";

/** A run that is to exist; `scheduledAt` and `received` are RFC 3339 in UTC. */
export interface StartRequest {
  runId: string;
  pipelineId: string;
  /** The run's own job: an automation, an application, or a pipeline with ad-hoc configuration. */
  job?: Job;
  /** The deployed revision that the run is meant for; another one in force is a `conflict`. */
  revision?: number;
  origin: Origin;
  scheduledAt?: string;
  received: string;
}

/** A pipeline as the engine has it now; times are RFC 3339 in UTC, `schedule` is a cron expression. */
export interface PipelineView {
  pipelineId: string;
  /** The newest revision of any command (deploy or toggle). */
  revision: number;
  /** The revision whose content is in force. */
  deployedRevision: number;
  name: string;
  type: string;
  enabled: boolean;
  schedule?: string;
  timezone?: string;
  nextRunAt?: string;
  lastRunAt?: string;
}

export type EngineEvent =
  | { kind: "run"; run: Run }
  | { kind: "listed" }
  | {
    kind: "schedule";
    event: "minted" | "skipped" | "missed";
    pipelineId: string;
    scheduledAt: string;
    runId?: string;
  };

/** Whether the engine can do its work now. */
export interface EngineHealth {
  healthy: boolean;
  version: string;
  /** One sentence: what is wrong, or what was seen. */
  message: string;
}

/** Optional second port of an engine: the log of a run. */
export interface EngineLogs {
  /**
   * Lines from the cursor on (from the start without one). With `follow` it goes on until the run has ended and its
   * log was read to the end. Faults: `not_found`.
   */
  logs(runId: string, options: LogOptions, signal: AbortSignal): AsyncIterable<LogPiece>;
}

/** Where to begin, and whether to go on while the run does. */
export interface LogOptions {
  follow: boolean;
  /** Opaque to everybody but the engine that gave it. */
  cursor?: string;
}

export type LogPiece =
  /** `cursor` resumes after these lines. Lines come without their newline. */
  | { kind: "lines"; lines: string[]; cursor: string }
  /** What lies between was lost before we could read it. */
  | { kind: "gap"; from: string; to: string }
  /** The end: the run has ended and all was read; with `gone` its log is no more, `message` says where it was sought. */
  | { kind: "end"; reason: "finished" | "gone" | "not-following"; cursor: string; message?: string };

// ── Secrets ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Used in the ingestion pod only; the runner itself never holds a value. */
export interface SecretsProvider {
  readonly kind: string;
  /** Faults: `not_found`, `denied`, `unavailable`, `malformed`, each with reference, provider, identity and remedy. */
  read(name: SecretName, signal: AbortSignal): Promise<SecretValue>;
}

/** What a reference became by the provider's row of the mapping table. */
export interface SecretName {
  /** The reference as it was written. */
  reference: string;
  /** The provider's own name for it. */
  name: string;
  /** Which key of a secret with several. */
  key?: string;
  version?: string;
}

/** A secret as it was read. */
export interface SecretValue {
  value: Secret;
  /** The version that was read, where the provider tells one. */
  version?: string;
}

// ── Telling ────────────────────────────────────────────────────────────────────────────────────────────────────────

export type LogLevel = "debug" | "info" | "warn" | "error";

/** The program's own log. Fields have closed names; values are redacted by the adapter. */
export interface Log {
  (level: LogLevel, event: string, fields?: LogFields): void;
}

/** The closed set of names; `seconds` and `count` are numbers of what the event names. */
export interface LogFields {
  agentId?: string;
  instanceId?: string;
  sessionId?: string;
  pipelineId?: string;
  runId?: string;
  streamId?: string;
  method?: string;
  state?: string;
  code?: string | number;
  reason?: string;
  loop?: string;
  rule?: string;
  engine?: string;
  provider?: string;
  reference?: string;
  url?: string;
  address?: string;
  revision?: number;
  count?: number;
  seconds?: number;
  version?: string;
  secretsManager?: string;
  settings?: unknown;
  error?: unknown;
}

/** One record per command and decision, on its own stream. */
export interface Audit {
  (record: AuditRecord): void;
}

/** What was asked and what was decided. */
export interface AuditRecord {
  /** What was asked: the protocol's method. */
  method: string;
  decision: "allowed" | "denied";
  /** The rule that decided. */
  rule: string;
  pipelineId?: string;
  runId?: string;
  revision?: number;
  /** Names of the secrets that the job may read; never a value. */
  secrets?: readonly string[];
}
