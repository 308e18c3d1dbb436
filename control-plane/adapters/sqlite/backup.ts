/** Backup and restore of the database file. */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { Fault, reasonOf } from "../../../mod/fault.ts";
import type { Log } from "../../../mod/ports.ts";
import { restored } from "../../mod/pipeline_rules.ts";
import { databaseFault, openDatabase } from "./open.ts";
import { createTransaction } from "./rows.ts";

/** Writes a consistent copy to `file` (VACUUM INTO), also while a server runs. Faults: `conflict` if it exists. */
export function backup(path: string, file: string): void {
  refuseExisting(file);
  const db = openDatabase(path, { create: false });
  try {
    db.prepare("VACUUM INTO ?").run(file);
    // It holds who may connect and what is run: nobody else's to read.
    Deno.chmodSync(file, 0o600);
  } catch (error) {
    throw databaseFault("back up", path, error);
  } finally {
    db.close();
  }
}

/**
 * Puts the backup in the database's place and marks it as restored, so that every runner is asked for everything it
 * still has. The tokens of the database that is replaced go along: those issued since the backup, and what was
 * revoked. Answers why some of them may be lost, where that database is gone or corrupt. Faults: `unavailable`,
 * `denied`, `conflict` for a database that is there and cannot be read now: its revocations must not be forgotten.
 * The caller holds the folder's lock.
 */
export async function restore(file: string, path: string, now: string, log: Log): Promise<string | undefined> {
  checkBackup(file);
  const { tokens, lost } = currentTokens(path);
  const next = `${path}.restoring`;
  for (const name of [next, `${next}-wal`, `${next}-shm`]) remove(name);
  Deno.copyFileSync(file, next);
  const db = openDatabase(next, { create: false });
  try {
    const tx = createTransaction(db, log);
    db.exec("BEGIN IMMEDIATE");
    await tx.setRestoredAt(now);
    const carry = db.prepare(CARRY);
    for (const row of tokens) carry.run(...row);
    for (const pipeline of await tx.pipelines({})) await tx.putPipeline(restored(pipeline));
    db.exec("COMMIT");
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
  using handle = Deno.openSync(next, { read: true, write: true });
  handle.syncSync();
  // The old log would be replayed into the new file. The rename is the one moment in which the database changes.
  for (const name of [`${path}-wal`, `${path}-shm`]) remove(name);
  Deno.renameSync(next, path);
  return lost;
}

/** What was revoked in either database stays revoked. */
const CARRY = "INSERT INTO tokens (jti, subject, issued_at, revoked, body) VALUES (?, ?, ?, ?, ?) " +
  "ON CONFLICT (jti) DO UPDATE SET revoked = excluded.revoked, body = excluded.body " +
  "WHERE excluded.revoked >= tokens.revoked";

/** As rows, not as records: a body that cannot be read must not let a revoked token in again. */
function currentTokens(path: string): { tokens: SQLInputValue[][]; lost?: string } {
  const tokens: SQLInputValue[][] = [];
  try {
    const db = openDatabase(path, { create: false });
    try {
      const rows = db.prepare("SELECT jti, subject, issued_at, revoked, body FROM tokens").iterate();
      for (const row of rows) tokens.push(Object.values(row));
    } finally {
      db.close();
    }
    return { tokens };
  } catch (error) {
    const fault = databaseFault("read", path, error);
    // A database that is gone or broken is why one restores; what could be read of it is kept.
    if (fault.code === "not_found" || fault.code === "malformed") return { tokens, lost: fault.message };
    throw fault;
  }
}

function checkBackup(file: string): void {
  let db: DatabaseSync;
  try {
    Deno.statSync(file);
    db = new DatabaseSync(file, { readOnly: true });
  } catch (error) {
    throw new Fault("not_found", `Cannot restore ${file}: ${reasonOf(error)}`, { cause: error });
  }
  try {
    const verdict = db.prepare("PRAGMA quick_check").get()?.quick_check;
    if (verdict !== "ok") throw new Fault("malformed", `Cannot restore ${file}: it is damaged (${verdict})`);
    if (db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'run_statuses'").get()?.n !== 1) {
      throw new Fault("malformed", `Cannot restore ${file}: it is no backup of this program`);
    }
  } catch (error) {
    throw databaseFault("read", file, error);
  } finally {
    db.close();
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function refuseExisting(file: string): void {
  try {
    Deno.lstatSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new Fault("denied", `Cannot write the backup ${file}: ${reasonOf(error)}`, { cause: error });
  }
  throw new Fault("conflict", `Cannot write the backup ${file}: it exists already`, { rule: "file" });
}
