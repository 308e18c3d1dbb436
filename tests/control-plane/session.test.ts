/** Who is let in, who stays, and what the list of runners says of it. */
import assert from "node:assert/strict";
import { until } from "../wait.ts";
import { connect, dial, helloOf, startServer } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane sessions: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

const viewOf = async (server: Awaited<ReturnType<typeof startServer>>, id = "a1") =>
  (await server.rest("GET", `/runners/${id}`)).body;

test("a runner is Active after hello, Inactive with the reason after it stopped", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  const welcome = await runner.begin();
  assert.equal(welcome.heartbeatSeconds, 15);
  assert.equal(welcome.full, false);
  assert.equal((await viewOf(server)).status, "Active");
  runner.connection.close(4400, "the program is stopping");
  await until("Inactive", async () => (await viewOf(server)).status === "Inactive");
  assert.equal((await viewOf(server)).reason, "The runner was stopped");
});

test("a runner that has a token and never came says so", async () => {
  await using server = await startServer();
  await server.token("a2");
  assert.deepEqual((await server.rest("GET", "/runners")).body.items.map((item: { reason: string }) => item.reason), [
    "It has never connected",
  ]);
});

test("a second live instance is closed with 4409, and both are shown", async () => {
  await using server = await startServer();
  const token = await server.token("a1");
  await using first = await connect(server, token);
  await first.begin();
  const second = await connect(server, token);
  await assert.rejects(second.begin({ hello: { instanceId: "a1-2" } }));
  assert.equal((await second.closed).code, 4409);
  const view = await viewOf(server);
  assert.equal(view.status, "Active");
  assert.match(view.reason, /Two instances: a1-1 .* a1-2/);
});

test("the same instance on a new connection takes the old one's place", async () => {
  await using server = await startServer();
  const token = await server.token("a1");
  const first = await connect(server, token);
  await first.begin();
  await using second = await connect(server, token);
  await second.begin();
  await first.closed;
  assert.equal((await viewOf(server)).status, "Active");
});

test("a silent first instance is abandoned after two intervals, not waited for", async () => {
  await using server = await startServer({ heartbeatSeconds: 0.2 });
  const token = await server.token("a1");
  const first = await connect(server, token);
  await first.begin();
  await until("Inactive", async () => /nothing was heard/.test((await viewOf(server)).reason));
  await using second = await connect(server, token);
  await second.begin({ hello: { instanceId: "a1-2" } });
  assert.equal((await viewOf(server)).instanceId, "a1-2");
  await first.closed;
});

test("heartbeats keep a runner Active and tell the number of standbys", async () => {
  await using server = await startServer({ heartbeatSeconds: 0.3 });
  const token = await server.token("a1");
  await using active = await connect(server, token);
  await active.begin({ hello: { epoch: 1 } });
  await using standby = await connect(server, token);
  await standby.ask("runner.hello", {
    ...helloOf("a1", { instanceId: "a1-2", role: "standby", epoch: 1 }),
  });
  const beat = { inFlight: 3, oldestUnacknowledgedSeconds: 2, clock: new Date().toISOString() };
  for (const end = Date.now() + 1500; Date.now() < end;) {
    assert.equal((await active.ask("runner.heartbeat", beat)).standbys, 1);
    await standby.ask("runner.heartbeat", beat);
  }
  const view = await viewOf(server);
  assert.equal(view.status, "Active");
  assert.equal(view.inFlight, 3);
  assert.equal(view.instanceId, "a1-1");
  assert.equal(view.standbys, 1);
});

test("the highest epoch is active; the old one becomes a standby and gets no commands", async () => {
  await using server = await startServer();
  const token = await server.token("a1");
  await using old = await connect(server, token);
  await old.begin({ hello: { epoch: 1 } });
  await using young = await connect(server, token);
  await young.begin({ hello: { epoch: 2, instanceId: "a1-2" } });
  assert.equal((await viewOf(server)).instanceId, "a1-2");
  await server.rest("POST", "/canary", { agentId: "a1" });
  await until("the canary", () => young.called("canary.run").length === 1);
  assert.equal(old.called("canary.run").length, 0);
});

test("another agent's hello is closed with 4401", async () => {
  await using server = await startServer();
  const runner = await connect(server, await server.token("a1"), { agentId: "a2" });
  await assert.rejects(runner.begin());
  assert.equal((await runner.closed).code, 4401);
});

test("an expired token ends a live connection with 4401", async () => {
  await using server = await startServer();
  const token = await server.token("a1", { expiresAt: Date.now() + 2_000 });
  const runner = await connect(server, token);
  await runner.begin();
  assert.equal((await runner.closed).code, 4401);
});

test("binary frames are closed with 4407, frames over the limit with 4413, and floods of nonsense with 4407", async () => {
  await using server = await startServer();
  const token = await server.token("a1");
  const codeAfter = async (send: (socket: WebSocket) => void) => {
    const socket = dial(server, token);
    const closed = Promise.withResolvers<number>();
    socket.onopen = () => send(socket);
    socket.onclose = ({ code }) => closed.resolve(code);
    return await closed.promise;
  };
  assert.equal(await codeAfter((socket) => socket.send(new Uint8Array(3))), 4407);
  assert.equal(await codeAfter((socket) => socket.send(`"${"x".repeat(4 * 1024 * 1024)}"`)), 4413);
  assert.equal(
    await codeAfter((socket) => {
      for (let n = 0; n < 110; n++) socket.send("nonsense");
    }),
    4407,
  );
});

test("what comes before hello is refused; no hello in time is closed with 4408", async () => {
  await using server = await startServer({ helloSeconds: 1 });
  const runner = await connect(server, await server.token("a1"));
  const beat = { inFlight: 0, oldestUnacknowledgedSeconds: 0, clock: new Date().toISOString() };
  await assert.rejects(runner.ask("runner.heartbeat", beat), /hello comes first/);
  assert.equal((await runner.closed).code, 4408);
});

test("stopping says goodbye and closes with 4400", async () => {
  const server = await startServer();
  const runner = await connect(server, await server.token("a1"));
  await runner.begin();
  await server[Symbol.asyncDispose]();
  assert.equal((await runner.closed).code, 4400);
  assert.equal(runner.called("server.goodbye").length, 1);
});
