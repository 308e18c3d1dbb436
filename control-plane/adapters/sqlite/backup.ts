/** Backup and restore of the database file. */
import { DatabaseSync } from "node:sqlite";
import { Fault, isFault, reasonOf } from "../../../mod/fault.ts";
import { restored } from "../../mod/pipeline_rules.ts";
import { databaseFault, openDatabase } from "./open.ts";
import { createReads, createTransaction } from "./rows.ts";

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
 * still has. Tokens that were revoked since the backup stay revoked. The caller holds the folder's lock.
 */
export async function restore(file: string, path: string, now: string): Promise<void> {
  checkBackup(file);
  const revoked = await revokedTokens(path);
  const next = `${path}.restoring`;
  for (const name of [next, `${next}-wal`, `${next}-shm`]) remove(name);
  Deno.copyFileSync(file, next);
  const db = openDatabase(next, { create: false });
  try {
    const tx = createTransaction(db);
    db.exec("BEGIN IMMEDIATE");
    await tx.setRestoredAt(now);
    for (const token of revoked) await tx.putToken(token);
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
}

async function revokedTokens(path: string) {
  try {
    const db = openDatabase(path, { create: false });
    try {
      return (await createReads(db).tokens()).filter((token) => token.revokedAt !== undefined);
    } finally {
      db.close();
    }
  } catch (error) {
    // A database that is gone or broken is why one restores.
    if (isFault(error)) return [];
    throw error;
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
