/** The storage's verbs over one SQLite connection. JSON becomes typed here, by the records' own schemas. */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type * as z from "zod/mini";
import { Fault } from "../../../mod/fault.ts";
import { isTerminal } from "../../../mod/run.ts";
import type { Reads, Transaction } from "../../mod/ports.ts";
import {
  type AuditRecord,
  PipelineRecord,
  RunnerRecord,
  RunRecord,
  StatusRecord,
  TokenRecord,
} from "../../mod/records.ts";

/** Reading verbs, each one prepared statement. */
export function createReads(db: DatabaseSync): Reads {
  const { one, all } = createQueries(db);
  return {
    runner: (agentId) => one(RunnerRecord, "SELECT body FROM runners WHERE agent_id = ?", agentId),
    runners: () => all(RunnerRecord, "SELECT body FROM runners ORDER BY agent_id"),
    token: (jti) => one(TokenRecord, "SELECT body FROM tokens WHERE jti = ?", jti),
    tokens: () => all(TokenRecord, "SELECT body FROM tokens ORDER BY issued_at, jti"),
    pipeline: (id) => one(PipelineRecord, "SELECT body FROM pipelines WHERE pipeline_id = ?", id),
    pipelines: ({ agentId, limit = -1, after = "" }) =>
      agentId === undefined
        ? all(
          PipelineRecord,
          "SELECT body FROM pipelines WHERE pipeline_id > ? ORDER BY pipeline_id LIMIT ?",
          after,
          limit,
        )
        : all(
          PipelineRecord,
          "SELECT body FROM pipelines WHERE agent_id = ? AND pipeline_id > ? ORDER BY pipeline_id LIMIT ?",
          agentId,
          after,
          limit,
        ),
    run: (runId) => one(RunRecord, "SELECT body FROM runs WHERE run_id = ?", runId),
    runs: ({ pipelineId, agentId, limit, after }) => {
      const where: string[] = [], values: SQLInputValue[] = [];
      const and = (condition: string, value: string | undefined) => {
        if (value !== undefined) where.push(condition), values.push(value);
      };
      and("pipeline_id = ?", pipelineId);
      and("agent_id = ?", agentId);
      and("sequence < (SELECT sequence FROM runs WHERE run_id = ?)", after);
      const condition = where.length > 0 ? `WHERE ${where.join(" AND ")}` : "";
      return all(RunRecord, `SELECT body FROM runs ${condition} ORDER BY sequence DESC LIMIT ?`, ...values, limit);
    },
    openRuns: (agentId, upTo = Number.MAX_SAFE_INTEGER) =>
      all(
        RunRecord,
        "SELECT body FROM runs WHERE agent_id = ? AND terminal = 0 AND sequence <= ? ORDER BY sequence",
        agentId,
        upTo,
      ),
    lastRun: () => Promise.resolve(Number(first(db, "SELECT max(sequence) AS value FROM runs") ?? 0)),
    statuses: (runId) => all(StatusRecord, "SELECT body FROM run_statuses WHERE run_id = ? ORDER BY sequence", runId),
    audit: (limit) =>
      Promise.resolve(
        db.prepare("SELECT at, actor, action, subject, detail FROM audit ORDER BY sequence DESC LIMIT ?").all(limit)
          .map(
            (row): AuditRecord => ({
              at: String(row.at),
              actor: String(row.actor),
              action: String(row.action),
              subject: String(row.subject),
              ...row.detail === null ? {} : { detail: String(row.detail) },
            }),
          ),
      ),
    restoredAt: () =>
      Promise.resolve(first(db, "SELECT value FROM meta WHERE name = 'restoredAt'")?.toString() ?? undefined),
  };
}

/** Reading and writing verbs, for use between BEGIN and COMMIT. */
export function createTransaction(db: DatabaseSync): Transaction {
  const { run, changes } = createQueries(db);
  return {
    ...createReads(db),
    putRunner: (record) =>
      run(
        "INSERT INTO runners (agent_id, body) VALUES (?, ?) ON CONFLICT (agent_id) DO UPDATE SET body = excluded.body",
        record.agentId,
        JSON.stringify(record),
      ),
    putToken: (record) =>
      run(
        "INSERT INTO tokens (jti, issued_at, revoked, body) VALUES (?, ?, ?, ?) " +
          "ON CONFLICT (jti) DO UPDATE SET revoked = excluded.revoked, body = excluded.body",
        record.jti,
        record.issuedAt,
        record.revokedAt === undefined ? 0 : 1,
        JSON.stringify(record),
      ),
    putPipeline: (record) =>
      run(
        "INSERT INTO pipelines (pipeline_id, agent_id, body) VALUES (?, ?, ?) " +
          "ON CONFLICT (pipeline_id) DO UPDATE SET agent_id = excluded.agent_id, body = excluded.body",
        record.pipelineId,
        record.agentId,
        JSON.stringify(record),
      ),
    forgetPipeline: (id) => run("DELETE FROM pipelines WHERE pipeline_id = ?", id),
    putRun: (record) =>
      run(
        "INSERT INTO runs (run_id, pipeline_id, agent_id, terminal, body) VALUES (?, ?, ?, ?, ?) " +
          "ON CONFLICT (run_id) DO UPDATE SET pipeline_id = excluded.pipeline_id, terminal = excluded.terminal, " +
          "body = excluded.body",
        record.runId,
        record.pipelineId,
        record.agentId,
        record.state !== undefined && isTerminal(record.state) ? 1 : 0,
        JSON.stringify(record),
      ),
    addStatus: async (record) =>
      await changes(
        "INSERT INTO run_statuses (run_id, rank, note, body) VALUES (?, ?, ?, ?) " +
          "ON CONFLICT (run_id, rank, note) DO NOTHING",
        record.runId,
        record.rank,
        record.note,
        JSON.stringify(record),
      ) > 0,
    addPipelineEvent: (record) =>
      run(
        "INSERT INTO pipeline_events (pipeline_id, agent_id, event, scheduled_at, run_id, recorded_at) " +
          "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (agent_id, pipeline_id, event, scheduled_at) DO NOTHING",
        record.pipelineId,
        record.agentId,
        record.event,
        record.scheduledAt,
        record.runId ?? null,
        record.recordedAt,
      ),
    addAudit: (record) =>
      run(
        "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
        record.at,
        record.actor,
        record.action,
        record.subject,
        record.detail ?? null,
      ),
    setRestoredAt: (instant) =>
      run(
        "INSERT INTO meta (name, value) VALUES ('restoredAt', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        instant,
      ),
  };
}

function first(db: DatabaseSync, sql: string): SQLInputValue | undefined {
  return db.prepare(sql).get()?.value;
}

function createQueries(db: DatabaseSync) {
  const prepared = new Map<string, StatementSync>();
  const statement = (sql: string): StatementSync => {
    let known = prepared.get(sql);
    if (known === undefined) prepared.set(sql, known = db.prepare(sql));
    return known;
  };
  // Async on purpose: what SQLite throws becomes a rejection, as with any other backend.
  return {
    // deno-lint-ignore require-await
    async run(sql: string, ...values: SQLInputValue[]): Promise<void> {
      statement(sql).run(...values);
    },
    // deno-lint-ignore require-await
    async changes(sql: string, ...values: SQLInputValue[]): Promise<number> {
      return Number(statement(sql).run(...values).changes);
    },
    // deno-lint-ignore require-await
    async one<S extends z.ZodMiniType>(schema: S, sql: string, ...values: SQLInputValue[]) {
      const row = statement(sql).get(...values);
      return row === undefined ? undefined : typed(schema, row.body);
    },
    // deno-lint-ignore require-await
    async all<S extends z.ZodMiniType>(schema: S, sql: string, ...values: SQLInputValue[]) {
      return statement(sql).all(...values).map((row) => typed(schema, row.body));
    },
  };
}

function typed<S extends z.ZodMiniType>(schema: S, body: unknown): z.infer<S> {
  const checked = schema.safeParse(JSON.parse(String(body)));
  if (checked.success) return checked.data;
  throw new Fault("malformed", `Cannot read a record: ${checked.error.issues[0]?.message}`, { cause: checked.error });
}
