/** SQLite as the storage: the contract, and what is SQLite's own. */
import assert from "node:assert/strict";
import { openStorage } from "../../control-plane/adapters/sqlite/storage.ts";
import type { Storage } from "../../control-plane/mod/ports.ts";
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
