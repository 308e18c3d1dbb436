/** Pipelines: revisions, one outstanding change, snapshots, deletions on record. */
import assert from "node:assert/strict";
import { Fault } from "../../mod/fault.ts";
import { until } from "../wait.ts";
import { type Any, connect, helloOf, pipelineBody, startServer, summaryOf } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane pipelines: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

type Server = Awaited<ReturnType<typeof startServer>>;
const viewOf = async (server: Server, id = "p1"): Promise<Any> => (await server.rest("GET", `/pipelines/${id}`)).body;
const reaches = (server: Server, deployment: string) =>
  until(deployment, async () => (await viewOf(server)).deployment === deployment);

test("put while Inactive waits, and is deployed once the snapshots are told", async () => {
  await using server = await startServer();
  const token = await server.token("a1");
  const put = await server.rest("PUT", "/pipelines/p1", pipelineBody("a1", { schedule: "0 * * * *" }));
  assert.equal(put.status, 201);
  assert.deepEqual([put.body.deployment, put.body.revision, put.body.enabled], ["pending", 1, true]);
  await using runner = await connect(server, token);
  const { pipelines } = await runner.begin();
  assert.deepEqual(pipelines.decisions, [{ pipelineId: "p1", verdict: "deploy" }]);
  await reaches(server, "deployed");
  const [{ revision, job }] = runner.called("pipeline.deploy");
  assert.deepEqual([revision, job.revision, job.schedule, job.kind], [1, 1, "0 * * * *", "pipeline"]);
});

test("one command is outstanding per pipeline, and a superseded one is never sent", async () => {
  await using server = await startServer();
  const held = Promise.withResolvers<void>();
  const script = {
    "pipeline.deploy": async ({ revision, job }: Any) => {
      if (revision === 1) await held.promise;
      return summaryOf(job.pipelineId, revision);
    },
  };
  await using runner = await connect(server, await server.token("a1"), { script });
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await until("the first", () => runner.called("pipeline.deploy").length === 1);
  for (const name of ["two", "three", "four"]) await server.rest("PUT", "/pipelines/p1", pipelineBody("a1", { name }));
  assert.equal(runner.called("pipeline.deploy").length, 1);
  held.resolve();
  await reaches(server, "deployed");
  assert.deepEqual(runner.called("pipeline.deploy").map(({ revision }) => revision), [1, 4]);
  assert.equal((await viewOf(server)).name, "four");
});

test("toggle and delete carry rising revisions; a deletion stays on record", async () => {
  await using server = await startServer();
  const token = await server.token("a1");
  const runner = await connect(server, token);
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await reaches(server, "deployed");
  await server.rest("POST", "/pipelines/p1/toggle", { enabled: false });
  await reaches(server, "deployed");
  assert.deepEqual(runner.called("pipeline.toggle"), [{ pipelineId: "p1", revision: 2, enabled: false }]);
  assert.equal((await server.rest("DELETE", "/pipelines/p1")).status, 202);
  await until("gone", async () => (await server.rest("GET", "/pipelines/p1")).status === 404);
  assert.deepEqual(runner.called("pipeline.delete"), [{ pipelineId: "p1", revision: 3 }]);
  await runner[Symbol.asyncDispose]();
  await using again = await connect(server, token);
  const { pipelines } = await again.begin({ pipelines: [summaryOf("p1", 2)] });
  assert.deepEqual(pipelines.decisions, [{ pipelineId: "p1", verdict: "delete" }]);
  await until("the deletion again", () => again.called("pipeline.delete").length === 1);
  assert.equal((await server.rest("PUT", "/pipelines/p2", pipelineBody("a1"))).body.revision, 1);
});

test("unknown pipelines are kept and shown; a higher revision raises the counter", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  const { pipelines } = await runner.begin({ pipelines: [summaryOf("p1", 7, { schedule: "5 4 * * *" })] });
  assert.deepEqual(pipelines.decisions, [{ pipelineId: "p1", verdict: "keep" }]);
  const view = await viewOf(server);
  assert.deepEqual([view.revision, view.schedule, view.deployment], [7, "5 4 * * *", "deployed"]);
  const put = await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  assert.deepEqual([put.status, put.body.revision], [200, 8]);
});

test("a change that waits goes above the runner's higher revision", async () => {
  await using server = await startServer();
  const token = await server.token("a1");
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await using runner = await connect(server, token);
  const { pipelines } = await runner.begin({ pipelines: [summaryOf("p1", 5)] });
  assert.deepEqual(pipelines.decisions, [{ pipelineId: "p1", verdict: "deploy" }]);
  await reaches(server, "deployed");
  assert.equal(runner.called("pipeline.deploy")[0].revision, 6);
});

test("a conflict (same number, other content) is settled by a higher revision", async () => {
  await using server = await startServer();
  const script = {
    "pipeline.deploy": ({ revision, job }: Any) =>
      revision < 4
        ? Promise.reject(new Fault("conflict", "Cannot deploy: another content"))
        : Promise.resolve(summaryOf(job.pipelineId, revision)),
    "pipeline.status": () => Promise.resolve({ pipeline: summaryOf("p1", 3), runs: [] }),
  };
  await using runner = await connect(server, await server.token("a1"), { script });
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await reaches(server, "deployed");
  assert.equal((await viewOf(server)).revision, 4);
});

test("a refusal is shown with its reason, and running it is a conflict", async () => {
  await using server = await startServer();
  const script = { "pipeline.deploy": () => Promise.reject(new Fault("denied", "Cannot deploy: rule images")) };
  await using runner = await connect(server, await server.token("a1"), { script });
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await reaches(server, "failed");
  assert.match((await viewOf(server)).deploymentMessage, /rule images/);
  const { status, body } = await server.rest("POST", "/pipelines/p1/runs");
  assert.deepEqual([status, /rule images/.test(body.detail)], [409, true]);
});

test("deleting stops what runs, and absent runs of it are stopped", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await reaches(server, "deployed");
  const { body: { runId } } = await server.rest("POST", "/pipelines/p1/runs");
  await until("the run", () => runner.called("pipeline.run").length === 1);
  await server.rest("DELETE", "/pipelines/p1");
  await until("the stop", () => runner.called("run.stop").length === 1);
  const absent = { snapshotId: "x", page: 1, last: true, runs: [], absent: [runId] };
  // Nobody asked for it: it would end a run that lives.
  await runner.ask("runs.snapshot", absent);
  assert.equal((await server.rest("GET", `/runs/${runId}`)).body.terminal, false);
  assert.deepEqual((await runner.begin()).runs.missing, [runId]);
  await runner.ask("runs.snapshot", absent);
  assert.equal((await server.rest("GET", `/runs/${runId}`)).body.state, "stopped");
});

test("a run that is asked for before the runner has told its pipelines is of the revision that it tells", async () => {
  await using server = await startServer();
  const token = await server.token("a1");
  const first = await connect(server, token);
  await first.begin({ pipelines: [summaryOf("p1", 1)] });
  await first[Symbol.asyncDispose]();
  await using again = await connect(server, token);
  await again.ask("runner.hello", helloOf("a1"));
  const asked = server.rest("POST", "/pipelines/p1/runs");
  const page = { snapshotId: "s", page: 0, last: true };
  await again.ask("runs.snapshot", { ...page, runs: [] });
  await again.ask("pipelines.snapshot", { ...page, pipelines: [summaryOf("p1", 9)] });
  const { status, body } = await asked;
  assert.deepEqual([status, body.revision], [202, 9]);
  await until("the command", () => again.called("pipeline.run").length === 1);
});
