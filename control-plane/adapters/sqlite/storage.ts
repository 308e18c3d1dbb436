/** The storage port over SQLite: one connection writes, another reads what is committed. */
import { Fault } from "../../../mod/fault.ts";
import type { Log } from "../../../mod/ports.ts";
import type { Storage, Transaction } from "../../mod/ports.ts";
import { databaseFault, openDatabase, openReader } from "./open.ts";
import { createReads, createTransaction } from "./rows.ts";

/** Writes that share one COMMIT: the disk is waited for once for all of them. */
const BATCH = 64;

interface Waiting {
  work(tx: Transaction): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Opens the storage in a file; see `openDatabase` for the faults. */
export function openStorage(path: string, { log = () => {} }: { log?: Log } = {}): Storage {
  const writer = openDatabase(path, { create: true });
  const reader = openReader(path);
  const tx = createTransaction(writer, log);
  const queue: Waiting[] = [];
  let draining = Promise.resolve(), isDraining = false;
  let closed = false;
  let seen = dataVersion();

  return {
    ...createReads(reader, log),
    write: (work) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Fault("unavailable", `Cannot write to the database ${path}: it is closed`));
        queue.push({ work, resolve: (value) => resolve(value as Awaited<ReturnType<typeof work>>), reject });
        if (!isDraining) draining = drain();
      }),
    // deno-lint-ignore require-await
    changedOutside: async () => {
      const before = seen;
      seen = dataVersion();
      return seen !== before;
    },
    close: async () => {
      closed = true;
      await draining;
      reader.close();
      writer.close();
    },
  };

  /** SQLite counts up here for commits of other connections than the asking one. */
  function dataVersion(): number {
    return Number(writer.prepare("PRAGMA data_version").get()?.data_version);
  }

  async function drain(): Promise<void> {
    isDraining = true;
    // Not at once: what is asked for in the same turn shares the COMMIT.
    await Promise.resolve();
    try {
      while (queue.length > 0) await commit(queue.splice(0, BATCH));
    } finally {
      // In the same turn as the last look at the queue: what comes later begins anew.
      isDraining = false;
    }
  }

  function rollBack(): void {
    try {
      if (writer.isTransaction) writer.exec("ROLLBACK");
    } catch (error) {
      // The next BEGIN says what is wrong with the database, to somebody who waits for the answer.
      log("error", "database.not_rolled_back", { error });
    }
  }

  /** Each work in its own savepoint, so that one that throws takes nothing else with it. */
  async function commit(batch: Waiting[]): Promise<void> {
    const outcomes: (() => void)[] = [];
    try {
      writer.exec("BEGIN IMMEDIATE");
      for (const entry of batch) outcomes.push(await attempt(entry));
      writer.exec("COMMIT");
    } catch (error) {
      // Told first: should even the rollback fail, nobody waits for ever.
      const fault = databaseFault("write to", path, error);
      for (const entry of batch) entry.reject(fault);
      rollBack();
      return;
    }
    for (const tell of outcomes) tell();
  }

  async function attempt(entry: Waiting): Promise<() => void> {
    writer.exec("SAVEPOINT work");
    try {
      const value = await entry.work(tx);
      writer.exec("RELEASE work");
      return () => entry.resolve(value);
    } catch (error) {
      // A full disk ends the whole transaction: then there is nothing left to go back to.
      if (!writer.isTransaction) throw error;
      writer.exec("ROLLBACK TO work; RELEASE work");
      return () => entry.reject(error);
    }
  }
}
