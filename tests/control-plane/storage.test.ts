/** SQLite as the storage: the contract, and what is SQLite's own. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { APPLICATION_ID, MIGRATIONS } from "../../control-plane/adapters/sqlite/migrations.ts";
import { openStorage } from "../../control-plane/adapters/sqlite/storage.ts";
import type { Storage } from "../../control-plane/mod/ports.ts";
import type { PipelineRecord } from "../../control-plane/mod/records.ts";
import { inFolder } from "../folder.ts";
import { contract, storageChecks, type StorageHarness } from "../contract/storage.ts";

async function makeHarness(): Promise<StorageHarness> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/control-plane.db`;
  const open = new Set<Storage>();
  const openOne = () => {
    const storage = openStorage(path);
    open.add(storage);
    return storage;
  };
  return {
    storage: openOne(),
    // The killed one is left open: its file handles are all that remains of it.
    restart: () => Promise.resolve(openOne()),
    second: () => Promise.resolve(openStorage(path)),
    async dispose() {
      for (const storage of open) await storage.close().catch(() => {});
      await Deno.remove(folder, { recursive: true });
    },
  };
}

contract("storage on SQLite", makeHarness);

/** A storage with one fault, and the check that must notice it. */
const SABOTAGES: readonly (readonly [string, (storage: Storage) => Partial<Storage>])[] = [
  ["transactions run one after the other: no update is lost", (storage) => ({
    write: async (work) => {
      const stale = await storage.pipeline("p1");
      return await storage.write((tx) =>
        work({ ...tx, pipeline: (id) => stale ? Promise.resolve(stale) : tx.pipeline(id) })
      );
    },
  })],
  ["a status is kept once by (runId, rank, note), in the order of writing", (storage) => ({
    write: (work) =>
      storage.write((tx) => work({ ...tx, addStatus: (record) => tx.addStatus(record).then(() => true) })),
  })],
  ["a transaction that throws leaves nothing, and takes no other with it", (storage) => ({
    write: (work) => storage.write((tx) => work(tx).catch(() => undefined as never)),
  })],
  ["deleted pipelines are in no list, and are there by their id", (storage) => ({
    pipelines: async (
      filter,
    ) => [{ ...await storage.pipeline("p1") as PipelineRecord }, ...await storage.pipelines(filter)],
  })],
  ["the next start is the pipeline's oldest that still waits", (storage) => ({
    nextStart: async (agentId) => (await storage.openRuns(agentId)).at(-1),
  })],
  ["another process's writes are noticed, one's own are not", () => ({ changedOutside: () => Promise.resolve(false) })],
];

for (const [check, sabotage] of SABOTAGES) {
  Deno.test(`storage contract has teeth: ${check}`, async () => {
    const harness = await makeHarness();
    try {
      const storage = { ...harness.storage, ...sabotage(harness.storage) };
      await assert.rejects(async () => await storageChecks[check]?.({ ...harness, storage }));
    } finally {
      await harness.dispose();
    }
  });
}

Deno.test("a rollback that fails too is told, and later writes are carried out", async () => {
  const harness = await makeHarness();
  const { exec } = DatabaseSync.prototype;
  const broken = new Set(["COMMIT", "ROLLBACK"]);
  DatabaseSync.prototype.exec = function (sql) {
    if (broken.delete(sql)) throw new Error("database disk image is malformed");
    exec.call(this, sql);
  };
  try {
    const write = () => harness.storage.write((tx) => tx.setRestoredAt("2026-01-01T00:00:00.000Z"));
    await assert.rejects(write(), { code: "malformed" });
    // The transaction that was left open is ended by the next one's failure.
    await assert.rejects(write(), { code: "unavailable" });
    await write();
  } finally {
    DatabaseSync.prototype.exec = exec;
    await harness.dispose();
  }
});

Deno.test("an older layout is brought up to date, its unreadable rows included", () =>
  inFolder(async (folder) => {
    const db = new DatabaseSync(`${folder}/db`);
    const [first = ""] = MIGRATIONS;
    db.exec(`${first}; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1;`);
    const start = { method: "pipeline.run", notAfter: "2026-01-01T00:00:00.000Z", answered: false };
    const run = { runId: "r", pipelineId: "p", pipelineName: "p", agentId: "a", kind: "pipeline", origin: "command" };
    const rows: [string, unknown][] = [
      ["INSERT INTO tokens VALUES ('t', '', 0, ?)", { jti: "t", scope: "runner", subject: "a" }],
      ["INSERT INTO pipelines VALUES ('gone', 'a', ?)", { deployment: "deleted" }],
      ["INSERT INTO runs VALUES (1, 'r', 'p', 'a', 0, ?)", { ...run, revision: 1, note: 0, times: {}, start }],
    ];
    for (const [sql, body] of rows) db.prepare(sql).run(JSON.stringify(body));
    db.exec("INSERT INTO tokens VALUES ('broken', '', 1, 'no json')");
    db.close();
    const storage = openStorage(`${folder}/db`);
    assert.deepEqual(await storage.pipelines({}), []);
    assert.equal((await storage.nextStart("a", "p"))?.runId, "r");
    assert.deepEqual(await storage.revokedTokens(), ["broken"]);
    await storage.close();
    const after = new DatabaseSync(`${folder}/db`);
    assert.equal(after.prepare("SELECT subject FROM tokens WHERE jti = 't'").get()?.subject, "a");
    after.close();
  }));

Deno.test("a database that becomes unwritable refuses writes and keeps what it has", async () => {
  const harness = await makeHarness();
  try {
    const other = await harness.second();
    // Another process holds the write lock for longer than is waited for.
    const held = Promise.withResolvers<void>();
    const holding = other.write(async () => await held.promise);
    await Promise.resolve();
    const blocked = harness.storage.write((tx) => tx.setRestoredAt("2026-01-01T00:00:00.000Z"));
    await assert.rejects(blocked, { code: "unavailable", message: /locked/ });
    held.resolve();
    await holding;
    await other.close();
    await harness.storage.write((tx) => tx.setRestoredAt("2026-01-01T00:00:00.000Z"));
    assert.equal(await harness.storage.restoredAt(), "2026-01-01T00:00:00.000Z");
  } finally {
    await harness.dispose();
  }
});
