/** Runs: commands, statuses, snapshots, what is missing, stops. */
import assert from "node:assert/strict";
import { Fault } from "../../mod/fault.ts";
import { until } from "../wait.ts";
import { type Any, connect, now, pipelineBody, runOf, startServer, summaryOf, uuid } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane runs: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

type Server = Awaited<ReturnType<typeof startServer>>;
const runOn = async (server: Server, id: string): Promise<Any> => (await server.rest("GET", `/runs/${id}`)).body;
const deployed = (server: Server, id = "p1") =>
  until("deployed", async () => (await server.rest("GET", `/pipelines/${id}`)).body.deployment === "deployed");

/** A server with pipeline p1 deployed on runner a1. */
async function ready(server: Server, script = {}) {
  const token = await server.token("a1");
  const runner = await connect(server, token, { script });
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await deployed(server);
  return { token, runner, start: async () => (await server.rest("POST", "/pipelines/p1/runs")).body.runId as string };
}

/** As above, with a start that the runner took and did not answer; the runner is gone. */
async function leftUnanswered(server: Server) {
  const never = () => new Promise<never>(() => {});
  const { runner, token, start } = await ready(server, { "pipeline.run": never });
  const runId = await start();
  await until("the command", () => runner.called("pipeline.run").length === 1);
  await runner[Symbol.asyncDispose]();
  return { runner, token, runId };
}

test("a run is commanded, told in ranks, and its first terminal state is final", async () => {
  await using server = await startServer();
  const { runner, start } = await ready(server);
  await using _ = runner;
  const runId = await start();
  await until("the command", () => runner.called("pipeline.run").length === 1);
  const times = { received: now(), accepted: now(), created: now() };
  await runner.status({ runId, state: "queued", times });
  await runner.status({ runId, state: "queued", note: 1, times, reason: { code: "Mutex", message: "waits" } });
  assert.equal((await runOn(server, runId)).reason.code, "Mutex");
  const started = { ...times, started: now() };
  await runner.status({ runId, state: "success", times: { ...started, finished: now() } });
  // Late and repeated ones change nothing, and are written where they are news.
  await runner.status({ runId, state: "running", times: started });
  await runner.status({ runId, state: "running", times: started });
  await runner.status({ runId, state: "queued", note: 2, times, reason: { code: "Mutex", message: "waits on" } });
  await runner.status({ runId, state: "failed", note: 7, reason: { code: "X", message: "too late" } });
  const detail = await runOn(server, runId);
  assert.equal(detail.state, "success");
  assert.equal(detail.times.started, started.started);
  assert.equal(detail.reason, undefined);
  const told = detail.timeline.map(({ state, note }: Any) => `${state} ${note}`);
  assert.deepEqual(told, ["queued 0", "queued 1", "success 0", "running 0"]);
});

test("another runner's run is refused", async () => {
  await using server = await startServer();
  const { runner, start } = await ready(server);
  await using _ = runner;
  const runId = await start();
  await using other = await connect(server, await server.token("a2"), { agentId: "a2" });
  await other.begin();
  await assert.rejects(other.status({ runId, state: "success" }), /another runner/);
  assert.notEqual((await runOn(server, runId)).state, "success");
});

test("denied, invalid and not_found end the run with that reason; busy is tried again", async () => {
  await using server = await startServer();
  const answers = [
    new Fault("denied", "Cannot run: the policy says no"),
    new Fault("busy", "Cannot run: full", { retryAfterSeconds: 0.01 }),
  ];
  const script = {
    "pipeline.run": ({ runId }: Any) => {
      const fault = answers.shift();
      return fault ? Promise.reject(fault) : Promise.resolve({ runId, state: "queued" as const });
    },
  };
  const { runner, start } = await ready(server, script);
  await using _ = runner;
  const denied = await start();
  await until("failed", async () => (await runOn(server, denied)).state === "failed");
  assert.equal((await runOn(server, denied)).reason.code, "denied");
  const busy = await start();
  await until("the second try", () => runner.called("pipeline.run").filter((call) => call.runId === busy).length === 2);
});

test("a snapshot's unknown runs are adopted, with the ranks that their times tell", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  const times = { created: now(), started: now() };
  const runId = uuid();
  const { runs } = await runner.begin({ runs: [runOf({ runId, state: "running", origin: "schedule", times })] });
  assert.deepEqual(runs, { decisions: [{ runId, verdict: "keep" }] });
  const detail = await runOn(server, runId);
  assert.equal(detail.origin, "schedule");
  assert.deepEqual(detail.timeline.map(({ state }: Any) => state), ["queued", "running"]);
});

test("missing runs are asked for, and only absent ones become gone, or stopped where a stop is on record", async () => {
  await using server = await startServer();
  const { runner, token, start } = await ready(server);
  const [gone, stopped, found] = [await start(), await start(), await start()];
  await until("three starts", () => runner.called("pipeline.run").length === 3);
  for (const runId of [gone, stopped, found]) await runner.status({ runId, state: "running" });
  await runner[Symbol.asyncDispose]();
  await until("Inactive", async () => (await server.rest("GET", "/runners/a1")).body.status === "Inactive");
  await server.rest("POST", `/runs/${stopped}/stop`);
  await using again = await connect(server, token);
  const { runs } = await again.begin({ pipelines: [summaryOf("p1", 1)] });
  assert.deepEqual(runs.missing, [gone, stopped, found]);
  await again.ask("runs.snapshot", { snapshotId: "x", page: 1, last: true, runs: [], absent: [gone, stopped] });
  assert.deepEqual([(await runOn(server, gone)).state, (await runOn(server, gone)).reason.code], ["failed", "gone"]);
  assert.equal((await runOn(server, stopped)).state, "stopped");
  assert.equal((await runOn(server, found)).state, "running");
});

test("a start that was never answered is sent again, though the snapshot shows the run", async () => {
  await using server = await startServer();
  const { runner, token, runId } = await leftUnanswered(server);
  await using again = await connect(server, token);
  const { runs } = await again.begin({ runs: [runOf({ runId, state: "queued" })], pipelines: [summaryOf("p1", 1)] });
  assert.equal(runs.missing, undefined);
  await until("the command again", () => again.called("pipeline.run").length === 1);
  assert.deepEqual(again.called("pipeline.run")[0], runner.called("pipeline.run")[0]);
});

test("with a stop on record the stop is sent instead, and a run that never began is stopped", async () => {
  await using server = await startServer();
  const { token, runId } = await leftUnanswered(server);
  await until("Inactive", async () => (await server.rest("GET", "/runners/a1")).body.status === "Inactive");
  await server.rest("POST", `/runs/${runId}/stop`);
  const unknown = { "run.stop": ({ runId }: Any) => Promise.resolve({ runId, stopped: true }) };
  await using again = await connect(server, token, { script: unknown });
  await again.begin({ pipelines: [summaryOf("p1", 1)] });
  await until("stopped", async () => (await runOn(server, runId)).state === "stopped");
  assert.equal(again.called("run.stop").length, 1);
  assert.equal(again.called("pipeline.run").length, 0);
});

test("a stop overtakes a start that is under way; a snapshot's run with a stop on record is to stop", async () => {
  await using server = await startServer();
  const held = Promise.withResolvers<void>();
  const { runner, token, start } = await ready(server, {
    "pipeline.run": ({ runId }: Any) => held.promise.then(() => ({ runId, state: "stopped" as const, stopped: true })),
    "run.stop": ({ runId }: Any) => Promise.resolve({ runId, stopped: true }),
  });
  const runId = await start();
  await until("the command", () => runner.called("pipeline.run").length === 1);
  await server.rest("POST", `/runs/${runId}/stop`);
  await until("the stop", () => runner.called("run.stop").length === 1);
  // The start's own answer and status tell the end, not the stop's answer.
  assert.equal((await runOn(server, runId)).terminal, false);
  held.resolve();
  await runner[Symbol.asyncDispose]();
  await using again = await connect(server, token);
  const { runs } = await again.begin({ runs: [runOf({ runId, state: "running" })], pipelines: [summaryOf("p1", 1)] });
  assert.deepEqual(runs.decisions, [{ runId, verdict: "stop" }]);
});

test("runs that were commanded after the hello are not judged", async () => {
  await using server = await startServer();
  const { runner, token, start } = await ready(server);
  await runner[Symbol.asyncDispose]();
  await using again = await connect(server, token);
  await again.begin({ pipelines: [summaryOf("p1", 1)] });
  const runId = await start();
  await until("the answer", async () => (await server.storage.run(runId))?.start?.answered);
  const late = { snapshotId: "late", page: 0, last: true, runs: [] };
  const { missing } = await again.ask("runs.snapshot", late);
  assert.equal(missing, undefined);
});

test("an Inactive runner's pipeline cannot be run: 503, and why", async () => {
  await using server = await startServer();
  const { runner, start: _ } = await ready(server);
  await runner[Symbol.asyncDispose]();
  await until("Inactive", async () => (await server.rest("GET", "/runners/a1")).body.status === "Inactive");
  const { status, body } = await server.rest("POST", "/pipelines/p1/runs");
  assert.equal(status, 503);
  assert.match(body.detail, /a1 is Inactive\. The (runner|connection)/);
});
