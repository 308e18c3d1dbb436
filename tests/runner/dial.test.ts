/** Dialling: whatever stands at SERVER_URL, the runner says what it is and what to do. Real sockets on loopback. */
import assert from "node:assert/strict";
import { createWebSocketChannel } from "../../adapters/channel/websocket.ts";
import { systemClock } from "../../adapters/clock.ts";
import { literalToken } from "../../adapters/token.ts";
import type { FaultCode } from "../../mod/fault.ts";
import { within } from "../wait.ts";

const CANARY = "canary-token-51c2";
const never = new AbortController().signal;
const channelTo = (serverUrl: string, connectTimeoutMs = 5000) =>
  createWebSocketChannel({ serverUrl, tokens: literalToken(CANARY), clock: systemClock, connectTimeoutMs });

const problem = (status: number, detail: string) =>
  new Response(JSON.stringify({ status, detail }), { status, headers: { "content-type": "application/problem+json" } });

const ANSWERS: [string, () => Response, FaultCode, RegExp][] = [
  [
    "401 with a problem body",
    () => problem(401, "the token expired"),
    "denied",
    /refused \(the token expired\).*AUTH_TOKEN/,
  ],
  ["403", () => problem(403, "not this agent"), "denied", /may not act for this agent/],
  ["404", () => new Response("no", { status: 404 }), "malformed", /nothing is there.*SERVER_URL/],
  ["426", () => problem(426, "speaks hybrid-runner.v9"), "malformed", /does not speak hybrid-runner\.v1/],
  [
    "a redirect",
    () => new Response(null, { status: 301, headers: { location: "https://login.example/" } }),
    "malformed",
    /redirects to https:\/\/login/,
  ],
  ["503", () => new Response("down", { status: 503 }), "unavailable", /HTTP 503/],
  ["a page of HTML", () => new Response("<html>"), "malformed", /no control plane/],
];

for (const [name, answer, code, message] of ANSWERS) {
  Deno.test(`dial: ${name} is told as ${code}`, async () => {
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, answer);
    await assert.rejects(
      within("the refusal", channelTo(`ws://127.0.0.1:${server.addr.port}`).dial(never)),
      (error: Error & { code: string }) => {
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert(!Deno.inspect(error).includes(CANARY), "the token is in the error");
        return true;
      },
    );
  });
}

Deno.test("dial: a token that no header can carry is told without it", async () => {
  for (const token of [`${CANARY}\n${CANARY}`, `${CANARY} x`, `${CANARY}ü`]) {
    const channel = createWebSocketChannel({
      serverUrl: "ws://127.0.0.1:9",
      tokens: literalToken(token),
      clock: systemClock,
    });
    await assert.rejects(channel.dial(never), (error: Error & { code: string }) => {
      assert.equal(error.code, "invalid");
      assert(!Deno.inspect(error).includes(CANARY));
      return true;
    });
  }
});

Deno.test("dial: a server that chooses no subprotocol is refused", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    return Deno.upgradeWebSocket(request).response;
  });
  await assert.rejects(channelTo(`ws://127.0.0.1:${server.addr.port}`).dial(never), {
    code: "malformed",
    message: /did not choose hybrid-runner\.v1/,
  });
});

Deno.test("dial: of a refusal's body only the beginning is read", async () => {
  let sent = 0;
  const endless = () =>
    new ReadableStream({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => new Response(endless(), { status: 401 }),
  );
  await assert.rejects(channelTo(`ws://127.0.0.1:${server.addr.port}`).dial(never), { code: "denied" });
  assert(sent < 64 * 1024 * 1024, `${sent} bytes`);
});

Deno.test("dial: nothing listens", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  await assert.rejects(within("the refusal", channelTo(`ws://127.0.0.1:${port}`).dial(never)), {
    code: "unavailable",
    message: /nothing listens/,
  });
});

Deno.test("dial: a host that does not resolve", async () => {
  await assert.rejects(within("the refusal", channelTo("ws://no-such-host.invalid").dial(never), 30_000), {
    code: "unavailable",
  });
});

Deno.test("dial: a server that accepts and says nothing ends at the connect timer", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const accepted = listener.accept();
  await assert.rejects(within("the refusal", channelTo(`ws://127.0.0.1:${listener.addr.port}`, 300).dial(never)), {
    code: "unavailable",
    message: /no connection in time/,
  });
  (await accepted).close();
});

Deno.test("dial: an abort passes through as the signal's own reason", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const accepted = listener.accept();
  const stop = new AbortController(), reason = new Error("the runner stops");
  const dialled = channelTo(`ws://127.0.0.1:${listener.addr.port}`).dial(stop.signal);
  const connection = await accepted;
  stop.abort(reason);
  await assert.rejects(within("the abort", dialled), (error) => error === reason);
  connection.close();
});

Deno.test("dial: TLS where there is none says so", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => new Response());
  await assert.rejects(within("the refusal", channelTo(`wss://127.0.0.1:${server.addr.port}`).dial(never)), {
    code: "unavailable",
    message: /does not speak TLS/,
  });
});

Deno.test("connection: frames come in order, a close is told once, a send after it throws", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "hybrid-runner.v1" });
    socket.onopen = () => ["1", "2", "3"].forEach((text) => socket.send(text));
    socket.onmessage = ({ data }) => data === "bye" && socket.close(4401, "enough");
    return response;
  });
  const connection = await channelTo(`ws://127.0.0.1:${server.addr.port}`).dial(never);
  const got: string[] = [];
  for await (const text of connection.frames) {
    got.push(text);
    if (got.length === 3) connection.send("bye");
  }
  assert.deepEqual(got, ["1", "2", "3"]);
  assert.deepEqual(await within("the close", connection.closed), { code: 4401, reason: "enough" });
  assert.throws(() => connection.send("late"), { code: "unavailable" });
  assert.equal(connection.buffered, 0);
});

Deno.test("connection: a binary frame is closed with 4407; a close with a reason of any length is sent", async () => {
  const closes: [number, string][] = [];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "hybrid-runner.v1" });
    socket.onopen = () => closes.length === 0 && socket.send(new Uint8Array([1]));
    socket.onclose = ({ code, reason }) => void closes.push([code, reason]);
    return response;
  });
  const first = await channelTo(`ws://127.0.0.1:${server.addr.port}`).dial(never);
  assert.equal((await within("the close", first.closed)).code, 4407);
  while (closes.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await channelTo(`ws://127.0.0.1:${server.addr.port}`).dial(never);
  second.close(4408, "é".repeat(200));
  await within("the close", second.closed);
  while (closes.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(closes[1], [4408, "é".repeat(61)]);
});
