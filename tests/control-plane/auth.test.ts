/** Who may connect, who may ask, and what a refusal says. */
import assert from "node:assert/strict";
import { openKeys } from "../../control-plane/adapters/tokens/keys.ts";
import { createTokens } from "../../control-plane/adapters/tokens/jwt.ts";
import { until } from "../wait.ts";
import { type Any, connect, startServer } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane doors: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

type Server = Awaited<ReturnType<typeof startServer>>;
const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-protocol": "hybrid-runner.v1",
};

/** fetch may not send an upgrade, so the request is written by hand. */
async function upgrade(server: Server, headers: Record<string, string>): Promise<{ status: number; body: Any }> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const all = { host: `127.0.0.1:${server.port}`, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  await connection.write(new TextEncoder().encode(`GET /runner/v1/connect HTTP/1.1\r\n${lines}\r\n`));
  let text = "";
  const buffer = new Uint8Array(8192);
  while (!/\r\n\r\n.*\}/s.test(text) && !text.startsWith("HTTP/1.1 101")) {
    const size = await connection.read(buffer);
    if (size === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, size));
  }
  const body = /\{.*\}/s.exec(text)?.[0];
  return { status: Number(text.slice(9, 12)), body: body === undefined ? undefined : JSON.parse(body) };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test("each kind of bad token is 401 and says which", async () => {
  await using server = await startServer();
  const good = await server.token("a1");
  const foreignFolder = await Deno.makeTempDir();
  const foreign = createTokens(openKeys(foreignFolder, Date.now), Date.now);
  const claims = { jti: "x", scope: "runner", subject: "a1", issuedAt: 0, expiresAt: Date.now() + 1e6 } as const;
  const revoked = await server.token("a1", { jti: "gone" });
  await server.storage.write(async (tx) => {
    const record = await tx.token("gone");
    if (record) await tx.putToken({ ...record, revokedAt: new Date().toISOString() });
  });
  const [head, payload] = good.split(".");
  const [, , signature] = revoked.split(".");
  const cases: [string, string | undefined, RegExp][] = [
    ["none", undefined, /there is none/],
    ["expired", await server.token("a1", { expiresAt: Date.now() - 60_000 }), /expired/],
    ["badly signed", `${head}.${payload}.${signature}`, /badly signed/],
    ["unknown key", await foreign.sign(claims), /key that is not known/],
    ["revoked", revoked, /revoked/],
    ["no token", "nonsense", /no JWT/],
  ];
  for (const [name, token, detail] of cases) {
    const { status, body } = await upgrade(server, { ...UPGRADE, ...token === undefined ? {} : bearer(token) });
    assert.equal(status, 401, name);
    assert.match(body.detail, detail);
  }
  await Deno.remove(foreignFolder, { recursive: true });
});

test("an operator's token is 403, no common protocol and no WebSocket are 426, a broken upgrade 400", async () => {
  await using server = await startServer();
  const token = bearer(await server.token("a1"));
  const operator = bearer(await server.token("op", { scope: "operator" }));
  assert.equal((await upgrade(server, { ...UPGRADE, ...operator })).status, 403);
  const other = await upgrade(server, { ...UPGRADE, ...token, "sec-websocket-protocol": "hybrid-runner.v9" });
  assert.deepEqual([other.status, other.body.supported], [426, ["hybrid-runner.v1"]]);
  assert.equal((await upgrade(server, token)).status, 426);
  const { "sec-websocket-key": _key, ...keyless } = UPGRADE;
  assert.equal((await upgrade(server, { ...keyless, ...token })).status, 400);
  assert.equal((await upgrade(server, { ...UPGRADE, ...token })).status, 101);
});

test("a token revoked by the command line ends the live connection with 4401", async () => {
  await using server = await startServer();
  const token = await server.token("a1", { jti: "mine" });
  const runner = await connect(server, token);
  await runner.begin();
  const args = ["run", "-A", "control-plane/main.ts", "token", "revoke", "mine", "--data", server.data];
  const { code } = await new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "inherit" }).output();
  assert.equal(code, 0);
  assert.equal((await runner.closed).code, 4401);
  const reason = async () => (await server.rest("GET", "/runners/a1")).body.reason;
  await until("the reason", async () => /token .* was revoked/.test(await reason()));
});

test("a key rotated in is used at once, and a removed one is not known any more", async () => {
  await using server = await startServer();
  const old = await server.token("op", { scope: "operator" });
  await openKeys(`${server.data}/keys`, Date.now).rotate();
  const young = await server.token("op", { scope: "operator" });
  const ask = async (token: string) => {
    const response = await fetch(`${server.url}/api/v1/runners`, { headers: bearer(token) });
    await response.body?.cancel();
    return response.status;
  };
  assert.deepEqual([await ask(old), await ask(young)], [200, 200]);
  const [first] = [...Deno.readDirSync(`${server.data}/keys`)].map(({ name }) => name).sort();
  assert.equal((await Deno.stat(`${server.data}/keys/${first}`)).mode! & 0o777, 0o600);
  await Deno.remove(`${server.data}/keys/${first}`);
  assert.deepEqual([await ask(old), await ask(young)], [401, 200]);
});

test("signing in sets a strict cookie; a foreign origin may change nothing with it", async () => {
  await using server = await startServer();
  const token = await server.token("op", { scope: "operator" });
  const form = (value: string) =>
    fetch(`${server.url}/login`, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ token: value, next: "//evil.example" }),
    });
  const wrong = await form("nonsense");
  assert.match(wrong.headers.get("location")!, /^\/login\?failed=1/);
  const right = await form(token);
  assert.equal(right.headers.get("location"), "/");
  const cookie = right.headers.get("set-cookie")!;
  assert.match(cookie, /^session=.*; HttpOnly; SameSite=Strict; Path=\/; Max-Age=\d+$/);
  for (const response of [wrong, right]) await response.body?.cancel();
  const post = async (headers: Record<string, string>) => {
    const response = await fetch(`${server.url}/api/v1/runs/x/stop`, {
      method: "POST",
      headers: { cookie: cookie.split(";")[0]!, ...headers },
    });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await post({ origin: server.url }), 404);
  assert.equal(await post({ origin: "https://evil.example" }), 403);
  assert.equal(await post({ "sec-fetch-site": "cross-site" }), 403);
  assert.equal(await post({}), 403);
  const page = await fetch(server.url, { redirect: "manual" });
  assert.deepEqual([page.status, page.headers.get("location")], [303, "/login?next=%2F"]);
  await page.body?.cancel();
});

test("open on loopback needs no login, and refuses other hosts and origins", async () => {
  await using server = await startServer({ open: true });
  const get = async (headers: Record<string, string>) => {
    const text = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const request = `POST /api/v1/runs/x/stop HTTP/1.1\r\ncontent-length: 0\r\n${text}\r\n`;
    await connection.write(new TextEncoder().encode(request));
    const buffer = new Uint8Array(4096);
    const size = await connection.read(buffer);
    return Number(new TextDecoder().decode(buffer.subarray(0, size ?? 0)).slice(9, 12));
  };
  const host = `localhost:${server.port}`;
  assert.equal(await get({ host }), 404);
  assert.equal(await get({ host, origin: `http://${host}` }), 404);
  assert.equal(await get({ host: "rebound.example" }), 403);
  assert.equal(await get({ host, origin: "http://rebound.example" }), 403);
  const page = await fetch(server.url);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy")!, /default-src 'none'.*frame-ancestors 'none'/);
  await page.body?.cancel();
});
