/** The storage's verbs over one SQLite connection. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Log } from "../../../mod/ports.ts";
import { ended, waitsToStart } from "../../mod/run_rules.ts";
import type { Reads, Transaction } from "../../mod/ports.ts";
import {
  type AuditRecord,
  PipelineRecord,
  RunnerRecord,
  RunRecord,
  StatusRecord,
  TokenRecord,
} from "../../mod/records.ts";
import { createQueries } from "./queries.ts";

/** Of one run's rank, the first note and this many of the newest ones are kept: a runner can tell any number. */
const NOTES_KEPT = 100;

/** Reading verbs, each one prepared statement. */
export function createReads(db: DatabaseSync, log: Log): Reads {
  const { one, all, page, column } = createQueries(db, log);
  return {
    runner: (agentId) => one(RunnerRecord, "runners", "WHERE agent_id = ?", agentId),
    runners: () => all(RunnerRecord, "runners", "ORDER BY agent_id"),
    token: (jti) => one(TokenRecord, "tokens", "WHERE jti = ?", jti),
    tokens: () => all(TokenRecord, "tokens", "ORDER BY issued_at, jti"),
    tokensOf: (subject) => all(TokenRecord, "tokens", "WHERE subject = ? ORDER BY issued_at, jti", subject),
    revokedTokens: async () => (await column("SELECT jti FROM tokens WHERE revoked = 1")).map(String),
    pipeline: (id) => one(PipelineRecord, "pipelines", "WHERE pipeline_id = ?", id),
    pipelines: ({ agentId, limit = -1, after = "" }) => {
      const tail = "deleted = 0 AND pipeline_id > ? ORDER BY pipeline_id";
      return agentId === undefined
        ? page(PipelineRecord, "pipelines", `WHERE ${tail}`, limit, after)
        : page(PipelineRecord, "pipelines", `WHERE agent_id = ? AND ${tail}`, limit, agentId, after);
    },
    run: (runId) => one(RunRecord, "runs", "WHERE run_id = ?", runId),
    runs: ({ pipelineId, agentId, limit, after }) => {
      const where: string[] = [], values: SQLInputValue[] = [];
      const and = (condition: string, value: string | undefined) => {
        if (value !== undefined) where.push(condition), values.push(value);
      };
      and("pipeline_id = ?", pipelineId);
      and("agent_id = ?", agentId);
      and("sequence < (SELECT sequence FROM runs WHERE run_id = ?)", after);
      const condition = where.length > 0 ? `WHERE ${where.join(" AND ")}` : "";
      return page(RunRecord, "runs", `${condition} ORDER BY sequence DESC`, limit, ...values);
    },
    openRuns: (agentId, upTo = Number.MAX_SAFE_INTEGER) =>
      all(
        RunRecord,
        "runs",
        "WHERE agent_id = ? AND terminal = 0 AND sequence <= ? ORDER BY sequence",
        agentId,
        upTo,
      ),
    nextStart: (agentId, pipelineId) =>
      one(
        RunRecord,
        "runs",
        "WHERE waiting = 1 AND pipeline_id = ? AND agent_id = ? ORDER BY sequence LIMIT 1",
        pipelineId,
        agentId,
      ),
    lastRun: () => Promise.resolve(Number(first(db, "SELECT max(sequence) AS value FROM runs") ?? 0)),
    statuses: (runId) => all(StatusRecord, "run_statuses", "WHERE run_id = ? ORDER BY sequence", runId),
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
export function createTransaction(db: DatabaseSync, log: Log): Transaction {
  const { run, changes } = createQueries(db, log);
  return {
    ...createReads(db, log),
    putRunner: (record) =>
      run(
        "INSERT INTO runners (agent_id, body) VALUES (?, ?) ON CONFLICT (agent_id) DO UPDATE SET body = excluded.body",
        record.agentId,
        JSON.stringify(record),
      ),
    putToken: (record) =>
      run(
        "INSERT INTO tokens (jti, subject, issued_at, revoked, body) VALUES (?, ?, ?, ?, ?) " +
          "ON CONFLICT (jti) DO UPDATE SET revoked = excluded.revoked, body = excluded.body",
        record.jti,
        record.subject,
        record.issuedAt,
        record.revokedAt === undefined ? 0 : 1,
        JSON.stringify(record),
      ),
    putPipeline: (record) =>
      run(
        "INSERT INTO pipelines (pipeline_id, agent_id, deleted, body) VALUES (?, ?, ?, ?) " +
          "ON CONFLICT (pipeline_id) DO UPDATE SET agent_id = excluded.agent_id, deleted = excluded.deleted, " +
          "body = excluded.body",
        record.pipelineId,
        record.agentId,
        record.deployment === "deleted" ? 1 : 0,
        JSON.stringify(record),
      ),
    forgetPipeline: (id) => run("DELETE FROM pipelines WHERE pipeline_id = ?", id),
    putRun: (record) =>
      run(
        "INSERT INTO runs (run_id, pipeline_id, agent_id, terminal, waiting, body) VALUES (?, ?, ?, ?, ?, ?) " +
          "ON CONFLICT (run_id) DO UPDATE SET pipeline_id = excluded.pipeline_id, terminal = excluded.terminal, " +
          "waiting = excluded.waiting, body = excluded.body",
        record.runId,
        record.pipelineId,
        record.agentId,
        ended(record) ? 1 : 0,
        record.start?.method === "pipeline.run" && waitsToStart(record) ? 1 : 0,
        JSON.stringify(record),
      ),
    forgetRun: async (runId) => {
      await run("DELETE FROM run_statuses WHERE run_id = ?", runId);
      await run("DELETE FROM runs WHERE run_id = ?", runId);
    },
    addStatus: async ({ runId, rank, note, ...rest }) => {
      const added = await changes(
        "INSERT INTO run_statuses (run_id, rank, note, body) VALUES (?, ?, ?, ?) " +
          "ON CONFLICT (run_id, rank, note) DO NOTHING",
        runId,
        rank,
        note,
        JSON.stringify({ runId, rank, note, ...rest }),
      ) > 0;
      if (added && note > 0) {
        await run(
          "DELETE FROM run_statuses WHERE run_id = ?1 AND rank = ?2 AND note > 0 AND note <= " +
            "(SELECT note FROM run_statuses WHERE run_id = ?1 AND rank = ?2 ORDER BY note DESC LIMIT 1 OFFSET ?3)",
          runId,
          rank,
          NOTES_KEPT,
        );
      }
      return added;
    },
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
