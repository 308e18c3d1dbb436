/** Restoring: no token that was revoked comes back, whatever state the replaced database is in. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { databaseOf } from "../../control-plane/adapters/cli/compose.ts";
import { tokenCommand } from "../../control-plane/adapters/cli/token_commands.ts";
import { backup, restore } from "../../control-plane/adapters/sqlite/backup.ts";
import { openStorage } from "../../control-plane/adapters/sqlite/storage.ts";
import { inFolder } from "../folder.ts";
import { now, quiet, startServer } from "./support.ts";

const test = (name: string, fn: (data: string) => Promise<void>) =>
  Deno.test({
    name: `control plane restore: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: () => inFolder(fn),
  });

const AT = "2026-01-02T03:04:05.000Z";

async function put(data: string, jti: string, revokedAt?: string): Promise<void> {
  const storage = openStorage(databaseOf(data));
  const token = { jti, scope: "runner", subject: jti, issuedAt: AT, expiresAt: AT } as const;
  await storage.write((tx) => tx.putToken(revokedAt === undefined ? token : { ...token, revokedAt }));
  await storage.close();
}

/** Each token by its jti, and whether it is revoked. */
async function tokensIn(data: string): Promise<Record<string, boolean>> {
  const storage = openStorage(databaseOf(data));
  const tokens = await storage.tokens();
  await storage.close();
  return Object.fromEntries(tokens.map(({ jti, revokedAt }) => [jti, revokedAt !== undefined]));
}

/** A backup with `old`; after it `old` was revoked and `young` was issued. */
async function backedUp(data: string): Promise<string> {
  await put(data, "old");
  const file = `${data}/backup.db`;
  backup(databaseOf(data), file);
  await put(data, "old", AT);
  await put(data, "young");
  return file;
}

function sql(data: string, text: string): DatabaseSync {
  const db = new DatabaseSync(databaseOf(data));
  db.exec(text);
  return db;
}

const again = (data: string, file: string) => restore(file, databaseOf(data), now(), quiet);

test("all tokens of the replaced database go along", async (data) => {
  const file = await backedUp(data);
  assert.equal(await again(data, file), undefined);
  assert.deepEqual(await tokensIn(data), { old: true, young: false });
});

test("a revoked token whose row cannot be read stays out", async (data) => {
  const file = await backedUp(data);
  sql(data, "UPDATE tokens SET body = 'no json' WHERE jti = 'old'").close();
  assert.equal(await again(data, file), undefined);
  const storage = openStorage(databaseOf(data));
  await assert.rejects(storage.token("old"), { code: "malformed" });
  assert.deepEqual(await storage.revokedTokens(), ["old"]);
  await storage.close();
});

test("a database that another process holds locked is not replaced", async (data) => {
  const file = await backedUp(data);
  const holder = sql(data, "BEGIN IMMEDIATE");
  await assert.rejects(again(data, file), { code: "unavailable", message: /locked/ });
  holder.exec("ROLLBACK");
  holder.close();
  assert.deepEqual(await tokensIn(data), { old: true, young: false });
});

test("a database that is gone or corrupt is replaced, and what is lost is said", async (data) => {
  const file = await backedUp(data);
  await Deno.writeTextFile(databaseOf(data), "no database ".repeat(999));
  for (const name of ["-wal", "-shm"]) await Deno.remove(databaseOf(data) + name).catch(() => {});
  assert.match(await again(data, file) ?? "", /corrupt/);
  assert.deepEqual(await tokensIn(data), { old: false });
  await Deno.remove(databaseOf(data));
  assert.match(await again(data, file) ?? "", /no such file/);
});

test("a token that is not on record can be stopped by its jti", async (data) => {
  const words = await tokenCommand(["revoke", "elsewhere"], () => data);
  assert.match(words, /no such token is on record/);
  assert.match(await tokenCommand(["list"], () => data), /^elsewhere +unknown .* revoked$/);
  await using server = await startServer({ data });
  const issuedAt = Date.now();
  const claims = {
    jti: "elsewhere",
    scope: "operator",
    subject: "op",
    issuedAt,
    expiresAt: issuedAt + 60_000,
  } as const;
  const headers = { authorization: `Bearer ${await server.tokens.sign(claims)}` };
  const response = await fetch(`${server.url}/api/v1/runners`, { headers });
  assert.deepEqual([response.status, /revoked/.test((await response.json()).detail)], [401, true]);
});
