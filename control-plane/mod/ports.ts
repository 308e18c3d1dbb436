/** The control plane's ports on one page, types only. Clock, Random, Log and Connection are those of `mod/ports.ts`. */
import type {
  AuditRecord,
  PipelineEventRecord,
  PipelineRecord,
  RunnerRecord,
  RunRecord,
  StatusRecord,
  TokenRecord,
} from "./records.ts";

// ── Storage ────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Everything that must outlive the process. `tests/contract/storage.ts` is the definition. Faults of every verb:
 * `unavailable` (the backend cannot be reached, is full, or is locked), `malformed` (what was read is broken).
 */
export interface Storage extends Reads {
  /**
   * Runs `work` alone, as one transaction; resolves once all of it is on disk. If `work` throws, nothing of it is
   * kept. `work` may wait for nothing but the transaction itself.
   */
  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** True if another process has written since the last call. Cheap: meant to be asked twice a second. */
  changedOutside(): Promise<boolean>;
  close(): Promise<void>;
}

/** Outside a transaction these see what was committed; inside one, its own writes too. */
export interface Reads {
  runner(agentId: string): Promise<RunnerRecord | undefined>;
  /** By agentId. */
  runners(): Promise<RunnerRecord[]>;
  token(jti: string): Promise<TokenRecord | undefined>;
  /** By time of issue. */
  tokens(): Promise<TokenRecord[]>;
  /** Those of one agentId or operator, by time of issue. */
  tokensOf(subject: string): Promise<TokenRecord[]>;
  /** The jti of each revoked one. */
  revokedTokens(): Promise<string[]>;
  pipeline(pipelineId: string): Promise<PipelineRecord | undefined>;
  /** By pipelineId, without those on record as deleted. A row that cannot be read is left out of every list. */
  pipelines(filter: PipelineFilter): Promise<PipelineRecord[]>;
  run(runId: string): Promise<RunRecord | undefined>;
  /** The newest first. */
  runs(filter: RunFilter): Promise<RunRecord[]>;
  /** Not terminal, of one runner, the oldest first. `upTo`: only those that `lastRun` then counted. */
  openRuns(agentId: string, upTo?: number): Promise<RunRecord[]>;
  /** The oldest run whose `pipeline.run` waits to be sent. */
  nextStart(agentId: string, pipelineId: string): Promise<RunRecord | undefined>;
  /** A number that rises with every new run: a point in the order of creation. */
  lastRun(): Promise<number>;
  /** The run's statuses in the order in which they were written. */
  statuses(runId: string): Promise<StatusRecord[]>;
  /** The newest first. */
  audit(limit: number): Promise<AuditRecord[]>;
  /** When this database was last put in place by a restore. */
  restoredAt(): Promise<string | undefined>;
}

/** Reading and writing within `write`. */
export interface Transaction extends Reads {
  putRunner(record: RunnerRecord): Promise<void>;
  putToken(record: TokenRecord): Promise<void>;
  putPipeline(record: PipelineRecord): Promise<void>;
  /** Forgets a pipeline altogether, its revision too: only for those that never were ours. */
  forgetPipeline(pipelineId: string): Promise<void>;
  putRun(record: RunRecord): Promise<void>;
  /** Forgets a run and its statuses: only where it was another runner's invention. */
  forgetRun(runId: string): Promise<void>;
  /** False, and nothing written, if (runId, rank, note) is there already. Of very many notes the newest are kept. */
  addStatus(record: StatusRecord): Promise<boolean>;
  addPipelineEvent(record: PipelineEventRecord): Promise<void>;
  addAudit(record: AuditRecord): Promise<void>;
  setRestoredAt(instant: string): Promise<void>;
}

/** Which pipelines a list holds. */
export interface PipelineFilter {
  agentId?: string;
  limit?: number;
  /** A pipelineId: what comes behind it. */
  after?: string;
}

/** Which runs a list holds. */
export interface RunFilter {
  pipelineId?: string;
  agentId?: string;
  limit: number;
  /** A runId: what is older than it. */
  after?: string;
}

// ── Tokens ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export type Scope = Exclude<TokenRecord["scope"], "unknown">;

/** What a token says, in our words. */
export interface Claims {
  jti: string;
  scope: Scope;
  subject: string;
  /** Milliseconds since the epoch. */
  issuedAt: number;
  expiresAt: number;
}

/** Signs and verifies; revocation is the storage's to know. */
export interface Tokens {
  sign(claims: Claims): Promise<string>;
  /** The claims of a token that a key of ours signed and that has not expired. Faults: `denied`, and why. */
  verify(token: string): Promise<Claims>;
}
