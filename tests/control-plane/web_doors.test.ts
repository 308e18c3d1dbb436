/** The web's doors: what is read of whom, where signing in leads, how long a stream stays open. */
import assert from "node:assert/strict";
import { readText } from "../../control-plane/adapters/http/body.ts";
import { tokenCommand } from "../../control-plane/adapters/cli/token_commands.ts";
import { within } from "../wait.ts";
import { connect, runOf, startServer, uuid } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane web doors: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

type Server = Awaited<ReturnType<typeof startServer>>;

/** Sends text as it is and answers the status line's number, however much of the request is still to come. */
async function raw(server: Server, text: string, more = ""): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await connection.write(new TextEncoder().encode(text));
  if (more !== "") await connection.write(new TextEncoder().encode(more)).catch(() => {});
  const buffer = new Uint8Array(4096);
  const size = await within("an answer", connection.read(buffer), 5_000);
  return Number(new TextDecoder().decode(buffer.subarray(0, size ?? 0)).slice(9, 12));
}

const head = (path: string, headers: Record<string, string>) =>
  `POST ${path} HTTP/1.1\r\n${
    Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
  }connection: close\r\n\r\n`;

test("a form to sign in is small, and nothing is read of a wrong one", async () => {
  await using server = await startServer();
  const host = `127.0.0.1:${server.port}`, form = { "content-type": "application/x-www-form-urlencoded" };
  const chunked = { host, "transfer-encoding": "chunked" };
  // No body follows in these: the answer comes all the same.
  assert.equal(await raw(server, head("/login", { host, ...form, "content-length": "20000" })), 400);
  assert.equal(await raw(server, head("/login", { ...chunked, ...form, origin: "https://evil.example" })), 403);
  assert.equal(await raw(server, head("/login", { ...chunked, "content-type": "text/plain" })), 400);
  const big = `4e20\r\n${"x".repeat(20_000)}\r\n`;
  assert.equal(await raw(server, head("/login", { ...chunked, ...form }), big), 400);
  const operator = await server.token("op", { scope: "operator" });
  const put = { ...chunked, authorization: `Bearer ${operator}`, "content-type": "text/plain" };
  assert.equal(await raw(server, head("/api/v1/canary", put), "5\r\nhello\r\n"), 400);
});

test("a body that does not come is waited for only so long", async () => {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("half")),
    cancel: () => cancelled.resolve(),
  });
  const request = new Request("http://x/", { method: "POST", body });
  await assert.rejects(readText(request, { bytes: 99, ms: 20 }), { code: "invalid", message: /within 0\.02 s/ });
  await cancelled.promise;
});

test("signing in leads to a path of our own, as a browser reads it", async () => {
  await using server = await startServer();
  const token = await server.token("op", { scope: "operator" });
  const cases: [string, string][] = [
    ["/runs/1?x=2", "/runs/1?x=2"],
    ["//evil.example", "/"],
    ["/\t/evil.example", "/"],
    ["/\n/evil.example", "/"],
    ["/\\evil.example", "/"],
    ["/.//evil.example", "/"],
    ["/a/..//evil.example", "/"],
    ["https://evil.example/", "/"],
    ["/runs\r\nset-cookie: a=b", "/runsset-cookie:%20a=b"],
  ];
  for (const [next, location] of cases) {
    const init = { method: "POST", redirect: "manual", body: new URLSearchParams({ token, next }) } as const;
    const response = await fetch(`${server.url}/login`, init);
    assert.deepEqual([response.status, response.headers.get("location")], [303, location], JSON.stringify(next));
    await response.body?.cancel();
  }
});

test("behind a proxy that rewrites Host, the browser's own word on the site counts", async () => {
  await using server = await startServer();
  const cookie = `session=${await server.token("op", { scope: "operator" })}`;
  const post = async (headers: Record<string, string>) => {
    const response = await fetch(`${server.url}/api/v1/runs/x/stop`, {
      method: "POST",
      headers: { cookie, ...headers },
    });
    await response.body?.cancel();
    return response.status;
  };
  const origin = "https://control.example";
  assert.equal(await post({ origin, "sec-fetch-site": "same-origin" }), 404);
  assert.equal(await post({ origin, "sec-fetch-site": "same-site" }), 403);
  assert.equal(await post({ origin: server.url, "sec-fetch-site": "cross-site" }), 403);
  assert.equal(await post({ origin }), 403);
});

test("open on loopback, every loopback address is at home", async () => {
  await using server = await startServer({ open: true });
  const status = (host: string) => raw(server, head("/api/v1/runs/x/stop", { host, "content-length": "0" }));
  for (const host of ["127.0.0.2:8586", "[::1]:8586", "localhost"]) assert.equal(await status(host), 404, host);
  for (const host of ["127.0.0.2.evil.example", "10.0.0.1"]) assert.equal(await status(host), 403, host);
});

/** The stream to its end. */
async function endOf(response: Response): Promise<void> {
  assert.equal(response.status, 200);
  const reader = response.body!.getReader();
  while (!(await within("the stream's end", reader.read(), 10_000)).done);
}

test("live streams end with the operator's token: revoked, or expired", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  const runId = uuid();
  await runner.begin({ runs: [runOf({ runId, state: "running" })] });
  const streams = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const paths = ["/events", `/runs/${runId}/log/events`];
    return await Promise.all(paths.map((path) => fetch(`${server.url}/api/v1${path}`, { headers })));
  };
  const revoked = await streams(await server.token("op", { scope: "operator", jti: "mine" }));
  const short = await streams(await server.token("op", { scope: "operator", expiresAt: Date.now() + 2_000 }));
  const others = await streams(await server.token("op", { scope: "operator" }));
  await tokenCommand(["revoke", "mine"], () => server.data);
  await Promise.all([...revoked, ...short].map(endOf));
  const reader = others[0]!.body!.getReader();
  await reader.read();
  await runner.status({ runId, state: "success" });
  assert.equal((await within("a change", reader.read())).done, false);
  await reader.cancel();
  await others[1]?.body?.cancel();
});
