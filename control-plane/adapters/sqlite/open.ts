/** Opens the database file: every way in which that can go wrong has its own sentence. */
import { DatabaseSync } from "node:sqlite";
import { Fault, reasonOf } from "../../../mod/fault.ts";
import { APPLICATION_ID, MIGRATIONS } from "./migrations.ts";

/** Only the command line writes beside us, for milliseconds; nothing else moves while SQLite waits. */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * Opens (and, with `create`, makes) the database and brings its layout up to date. Faults: `not_found` (no such
 * folder or file), `denied` (not writable), `malformed` (corrupt, or another program's), `conflict` (newer than this
 * program), `unavailable` (locked, full).
 */
export function openDatabase(path: string, { create }: { create: boolean }): DatabaseSync {
  checkPath(path, create);
  let db: DatabaseSync | undefined;
  try {
    // Before SQLite does: it says who may connect and what is run, and that is nobody else's to read.
    if (create) Deno.openSync(path, { create: true, write: true, mode: 0o600 }).close();
    db = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: BUSY_TIMEOUT_MS });
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;");
    migrate(db, path);
    return db;
  } catch (error) {
    db?.close();
    throw databaseFault("open", path, error);
  }
}

/** A second connection, for reading what is committed. */
export function openReader(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  } catch (error) {
    throw databaseFault("open", path, error);
  }
}

/** Any error of SQLite as a fault with the reason in plain words. */
export function databaseFault(action: string, path: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const reason = reasonOf(error);
  const row = ROWS.find(([pattern]) => pattern.test(reason));
  const [, code, words] = row ?? [undefined, "unavailable" as const, reason];
  return new Fault(code, `Cannot ${action} the database ${path}: ${words}`, { cause: error });
}

const ROWS = [
  [
    /not a database|malformed|corrupt/i,
    "malformed",
    "the file is corrupt or no SQLite database; put a backup in its place with `restore FILE`",
  ],
  [/readonly|read-only|denied|unable to open/i, "denied", "it is not writable for this user"],
  [/locked|busy/i, "unavailable", "another process holds it locked"],
  [/full/i, "unavailable", "the disk is full"],
] as const;

function checkPath(path: string, create: boolean): void {
  const folder = path.replace(/[/\\][^/\\]*$/, "") || "/";
  const kind = statOf(folder);
  if (kind === undefined) {
    throw new Fault("not_found", `Cannot open the database ${path}: the folder ${folder} does not exist; create it`);
  }
  if (!kind.isDirectory) {
    throw new Fault("not_found", `Cannot open the database ${path}: ${folder} is not a folder`);
  }
  const file = statOf(path);
  if (file === undefined && !create) {
    throw new Fault("not_found", `Cannot open the database ${path}: there is no such file`);
  }
  if (file?.isDirectory) throw new Fault("malformed", `Cannot open the database ${path}: it is a folder`);
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw new Fault("denied", `Cannot open the database ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function migrate(db: DatabaseSync, path: string): void {
  // Immediate: two processes that start at once migrate one after the other.
  db.exec("BEGIN IMMEDIATE");
  try {
    const version = pragma(db, "user_version");
    const application = pragma(db, "application_id");
    const empty = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.n === 0;
    if (!empty && application !== APPLICATION_ID) {
      throw new Fault("malformed", `Cannot open the database ${path}: it belongs to another program`);
    }
    if (version > MIGRATIONS.length) {
      throw new Fault(
        "conflict",
        `Cannot open the database ${path}: its layout is version ${version}, and this program knows ` +
          `${MIGRATIONS.length}; use a newer program, or move the file away and restore a backup of this one`,
      );
    }
    for (const statement of MIGRATIONS.slice(version)) db.exec(statement);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length};`);
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}
