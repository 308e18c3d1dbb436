/** Log relay: followed across lost links, paced by the reader, told when gone. */
import assert from "node:assert/strict";
import { Fault } from "../../mod/fault.ts";
import { logBytes } from "../../mod/protocol/log_size.ts";
import { until } from "../wait.ts";
import { type Any, connect, runOf, type ScriptedRunner, startServer, uuid } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane logs: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

type Server = Awaited<ReturnType<typeof startServer>>;

/** A server that asks nobody to sign in, and a runner with one live run. */
async function ready(server: Server, script = {}) {
  const token = await server.token("a1");
  const runner = await connect(server, token, { script });
  const runId = uuid();
  await runner.begin({ runs: [runOf({ runId, state: "running" })] });
  return { token, runner, runId };
}

async function stream(server: Server, runId: string, headers = {}) {
  const response = await fetch(`${server.url}/api/v1/runs/${runId}/log/events`, { headers });
  assert.equal(response.status, 200);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async readUntil(pattern: RegExp): Promise<string> {
      while (!pattern.test(text)) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
      }
      assert.match(text, pattern);
      return text;
    },
    cancel: () => reader.cancel(),
  };
}

const opened = (runner: ScriptedRunner, count = 1) =>
  until("log.open", () => runner.called("log.open")[count - 1]) as Promise<Any>;

test("lines, gap and end arrive; each chunk's credit is what was read", async () => {
  await using server = await startServer({ open: true });
  const { runner, runId } = await ready(server);
  await using _ = runner;
  const reader = await stream(server, runId);
  const { streamId, follow } = await opened(runner);
  assert.equal(follow, true);
  const lines = ["one", "zwei ü"];
  const chunk = runner.ask("log.chunk", { streamId, cursor: "c1", lines });
  await reader.readUntil(/id: c1\nevent: lines\ndata: .*zwei ü/);
  const gap = runner.ask("log.chunk", { streamId, cursor: "c2", gap: { from: "c1", to: "c2" } });
  await reader.readUntil(/event: gap/);
  assert.equal((await chunk).credit, logBytes(lines));
  await runner.ask("log.chunk", { streamId, cursor: "c3", end: { reason: "finished" } });
  await gap;
  await reader.readUntil(/event: end\ndata: {"reason":"finished"}/);
});

test("the stream goes on by itself after the runner's reconnect, from the last cursor", async () => {
  await using server = await startServer({ open: true });
  const { runner, token, runId } = await ready(server);
  const reader = await stream(server, runId, { "last-event-id": "c0" });
  const first = await opened(runner);
  assert.equal(first.cursor, "c0");
  const lost = runner.ask("log.chunk", { streamId: first.streamId, cursor: "c1", lines: ["before"] });
  lost.catch(() => {});
  await reader.readUntil(/before/);
  await runner[Symbol.asyncDispose]();
  await using again = await connect(server, token);
  await again.begin({ runs: [runOf({ runId, state: "running" })] });
  const second = await opened(again);
  assert.equal(second.cursor, "c1");
  assert.notEqual(second.streamId, first.streamId);
  void again.ask("log.chunk", { streamId: second.streamId, cursor: "c2", lines: ["after"] }).catch(() => {});
  await reader.readUntil(/after/);
  await reader.cancel();
});

test("a slow reader holds the runner back at one window, and its other requests go on", async () => {
  await using server = await startServer({ open: true });
  const { runner, runId } = await ready(server);
  await using _ = runner;
  const reader = await stream(server, runId);
  await reader.readUntil(/open/);
  const { streamId, window } = await opened(runner);
  const lines = ["x".repeat(8191)];
  let left = window, sent = 0, cursor = 0;
  const settled: Promise<void>[] = [];
  // Sends as a runner does: as much as is granted, never more.
  const pump = async () => {
    while (left >= logBytes(lines) && sent < 32 * 1024 * 1024) {
      left -= logBytes(lines);
      sent += logBytes(lines);
      settled.push(
        runner.ask("log.chunk", { streamId, cursor: `${++cursor}`, lines }).then(
          ({ credit }) => (left += credit, pump()),
          () => {},
        ),
      );
      await Promise.resolve();
    }
  };
  void pump();
  let before = -1;
  await until("the runner to be held back", async () => {
    const isStill = before === sent;
    before = sent;
    await runner.status({ runId, state: "running", note: ++cursor });
    await new Promise((resolve) => setTimeout(resolve, 100));
    return isStill;
  });
  // What the sockets' buffers hold between us comes on top of the window.
  assert.ok(sent < window + 12 * 1024 * 1024, `${sent} bytes were taken in`);
  await reader.readUntil(new RegExp(`id: ${Math.floor(sent / 8192) - 1}\n`));
  await reader.cancel();
  await until("log.close", () => runner.called("log.close").length === 1);
  left = 0;
  await Promise.all(settled);
});

test("a window that a runner goes beyond is refused, and a stream that nobody reads is not found", async () => {
  await using server = await startServer({ open: true });
  const { runner, runId } = await ready(server);
  await using _ = runner;
  const reader = await stream(server, runId);
  const { streamId } = await opened(runner);
  const flood = Array.from(
    { length: 8 },
    (_, at) =>
      runner.ask("log.chunk", { streamId, cursor: `${at}`, lines: ["x".repeat(1024 * 1024)] }).then(() => "", String),
  );
  const results = await Promise.race([
    Promise.all(flood),
    until("a refusal", () =>
      Promise.any(
        flood.map(async (answer) => /beyond the window/.test(await answer) ? "refused" : Promise.reject()),
      )),
  ]);
  assert.ok(results);
  await reader.cancel();
  await Promise.all(flood);
  await assert.rejects(runner.ask("log.chunk", { streamId: "nope", cursor: "1", lines: [] }), /nobody reads/);
});

test("the plain log is what is there now; gone is 404, an Inactive runner 503", async () => {
  await using server = await startServer({ open: true });
  const { runner, runId } = await ready(server);
  const answer = server.rest("GET", `/runs/${runId}/log`);
  const { streamId, follow } = await opened(runner);
  assert.equal(follow, false);
  const told = [
    runner.ask("log.chunk", { streamId, cursor: "1", lines: ["a", "b"] }),
    runner.ask("log.chunk", { streamId, cursor: "2", end: { reason: "not-following" } }),
  ];
  assert.deepEqual(await answer, { status: 200, body: "a\nb\n" });
  await Promise.all(told);
  const gone = server.rest("GET", `/runs/${runId}/log`);
  const next = await opened(runner, 2);
  await runner.ask("log.chunk", { streamId: next.streamId, cursor: "0", end: { reason: "gone" } });
  assert.equal((await gone).status, 404);
  await runner[Symbol.asyncDispose]();
  await until("503", async () => (await server.rest("GET", `/runs/${runId}/log`)).status === 503);
  assert.equal((await server.rest("GET", `/runs/${uuid()}/log`)).status, 404);
});

test("a run whose object the runner does not have is told as gone once it has ended", async () => {
  await using server = await startServer({ open: true });
  const script = { "log.open": () => Promise.reject(new Fault("not_found", "Cannot open the log: no object")) };
  const { runner, runId } = await ready(server, script);
  await using _ = runner;
  await runner.status({ runId, state: "failed" });
  const reader = await stream(server, runId);
  await reader.readUntil(/event: end\ndata: {"reason":"gone","message":"Cannot open the log: no object"}/);
});
