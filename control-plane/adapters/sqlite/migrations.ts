/**
 * The database's layout as a numbered list: entry n brings `user_version` n to n + 1. Entries are never changed once
 * released; a new layout is a new entry.
 */

/** Marks the file as ours ("HRCP"). */
export const APPLICATION_ID = 0x48524350;

/** Records are JSON in `body`; the columns beside it are what is searched by. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE runners (agent_id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  CREATE TABLE tokens (
    jti TEXT PRIMARY KEY, issued_at TEXT NOT NULL, revoked INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE TABLE pipelines (pipeline_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, body TEXT NOT NULL) STRICT;
  CREATE INDEX pipelines_by_agent ON pipelines (agent_id, pipeline_id);
  CREATE TABLE runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, pipeline_id TEXT NOT NULL,
    agent_id TEXT NOT NULL, terminal INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX runs_by_pipeline ON runs (pipeline_id, sequence);
  CREATE INDEX runs_by_agent ON runs (agent_id, sequence);
  CREATE INDEX runs_open ON runs (agent_id, sequence) WHERE terminal = 0;
  CREATE TABLE run_statuses (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL REFERENCES runs (run_id),
    rank INTEGER NOT NULL, note INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (run_id, rank, note)
  ) STRICT;
  CREATE TABLE pipeline_events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, pipeline_id TEXT NOT NULL, agent_id TEXT NOT NULL,
    event TEXT NOT NULL, scheduled_at TEXT NOT NULL, run_id TEXT, recorded_at TEXT NOT NULL,
    UNIQUE (agent_id, pipeline_id, event, scheduled_at)
  ) STRICT;
  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL, detail TEXT
  ) STRICT;
  `,
  // What is asked for often is asked by a column. A body that is no JSON stays as it is: its reader tells it.
  `
  ALTER TABLE tokens ADD COLUMN subject TEXT NOT NULL DEFAULT '';
  UPDATE tokens SET subject = coalesce(body ->> '$.subject', '') WHERE json_valid(body);
  CREATE INDEX tokens_by_subject ON tokens (subject, issued_at);
  CREATE INDEX tokens_revoked ON tokens (jti) WHERE revoked = 1;
  ALTER TABLE pipelines ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
  UPDATE pipelines SET deleted = 1 WHERE json_valid(body) AND body ->> '$.deployment' = 'deleted';
  ALTER TABLE runs ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
  UPDATE runs SET waiting = 1 WHERE terminal = 0 AND json_valid(body) AND body ->> '$.start.method' = 'pipeline.run'
    AND body ->> '$.start.answered' = 0 AND body ->> '$.stopRequestedAt' IS NULL;
  CREATE INDEX runs_waiting ON runs (pipeline_id, sequence) WHERE waiting = 1;
  `,
];
