/** What is sent when: starts after changes, starts and stops that cross, deletions that nobody carries out. */
import assert from "node:assert/strict";
import { createLanes, type Outcome } from "../../control-plane/mod/lanes.ts";
import { Fault } from "../../mod/fault.ts";
import { settled, until } from "../wait.ts";
import { type Any, connect, pipelineBody, quiet, startServer, summaryOf } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane commands: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

type Server = Awaited<ReturnType<typeof startServer>>;
const viewOf = async (server: Server, id = "p1"): Promise<Any> => (await server.rest("GET", `/pipelines/${id}`)).body;
const reaches = (server: Server, deployment: string) =>
  until(deployment, async () => (await viewOf(server)).deployment === deployment);
const start = async (server: Server): Promise<string> => (await server.rest("POST", "/pipelines/p1/runs")).body.runId;

/** A runner's own rule: a run's revision is that of the content, and a toggle changes the newest number alone. */
function strict() {
  let revision = 0, deployedRevision = 0;
  return {
    "pipeline.deploy": ({ job }: Any) => {
      revision = deployedRevision = job.revision;
      return Promise.resolve(summaryOf("p1", revision));
    },
    "pipeline.toggle": ({ enabled, ...of }: Any) => {
      revision = of.revision;
      return Promise.resolve(summaryOf("p1", revision, { deployedRevision, enabled }));
    },
    "pipeline.run": ({ runId, ...of }: Any) => {
      if (of.revision === undefined || of.revision === deployedRevision) {
        return Promise.resolve({ runId, state: "queued" as const });
      }
      return Promise.reject(new Fault("conflict", `Cannot run: revision ${deployedRevision} is deployed`));
    },
  };
}

test("a pipeline runs after each toggle", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"), { script: strict() });
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await reaches(server, "deployed");
  for (const enabled of [true, false, true]) {
    if (runner.called("pipeline.run").length > 0) {
      await server.rest("POST", "/pipelines/p1/toggle", { enabled });
      await reaches(server, "deployed");
    }
    const runId = await start(server);
    await until("the answer", async () => (await server.storage.run(runId))?.start?.answered);
    const { body } = await server.rest("GET", `/runs/${runId}`);
    assert.deepEqual([body.state, body.reason, body.revision], ["commanded", undefined, 1]);
  }
  assert.equal(runner.called("pipeline.toggle").length, 2);
});

test("a stop that was answered before its start was refused ends the run", async () => {
  await using server = await startServer();
  const held = Promise.withResolvers<void>();
  const script = {
    "pipeline.run": async () => {
      await held.promise;
      throw new Fault("busy", "Cannot run: full", { retryAfterSeconds: 60 });
    },
    "run.stop": ({ runId }: Any) => Promise.resolve({ runId, stopped: true }),
  };
  await using runner = await connect(server, await server.token("a1"), { script });
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await reaches(server, "deployed");
  const runId = await start(server);
  await until("the start", () => runner.called("pipeline.run").length === 1);
  await server.rest("POST", `/runs/${runId}/stop`);
  await until("the stop's answer", async () => (await server.storage.run(runId))?.stopAnswered);
  assert.equal((await server.rest("GET", `/runs/${runId}`)).body.terminal, false);
  held.resolve();
  await until("its end", async () => (await server.rest("GET", `/runs/${runId}`)).body.state === "stopped", {
    patienceMs: 10_000,
  });
  assert.equal(runner.called("pipeline.run").length, 1);
});

test("a deletion for a runner that never connected is done at once, and the id is free", async () => {
  await using server = await startServer();
  for (const agentId of ["a1", "a2"]) await server.token(agentId);
  assert.equal((await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"))).status, 201);
  const { status, body } = await server.rest("DELETE", "/pipelines/p1");
  assert.deepEqual([status, /never connected/.test(body.deploymentMessage)], [202, true]);
  assert.equal((await server.rest("GET", "/pipelines/p1")).status, 404);
  const moved = await server.rest("PUT", "/pipelines/p1", pipelineBody("a2"));
  assert.deepEqual([moved.status, moved.body.revision], [201, 3]);
});

test("force deletes for a runner that will not come back, and says what it did not do", async () => {
  await using server = await startServer();
  const runner = await connect(server, await server.token("a1"));
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await reaches(server, "deployed");
  const early = await server.rest("DELETE", "/pipelines/p1?force=true");
  assert.deepEqual([early.status, /is Active/.test(early.body.detail)], [409, true]);
  await runner[Symbol.asyncDispose]();
  await until("Inactive", async () => (await server.rest("GET", "/runners/a1")).body.status === "Inactive");
  assert.equal((await server.rest("DELETE", "/pipelines/p1")).body.deployment, "deleting");
  assert.equal((await viewOf(server)).deployment, "deleting");
  const { status, body } = await server.rest("DELETE", "/pipelines/p1?force=true");
  assert.deepEqual([status, /nothing was removed at the runner/.test(body.deploymentMessage)], [202, true]);
  assert.equal((await server.rest("GET", "/pipelines/p1")).status, 404);
});

test("retries while the runner is busy do not use up those of a conflict", async () => {
  await using server = await startServer();
  const busy = () => new Fault("busy", "Cannot deploy: full", { retryAfterSeconds: 0.001 });
  const answers = [busy(), busy(), busy(), busy(), new Fault("conflict", "Cannot deploy: another content")];
  const script = {
    "pipeline.deploy": ({ revision, job }: Any) => {
      const fault = answers.shift();
      return fault ? Promise.reject(fault) : Promise.resolve(summaryOf(job.pipelineId, revision));
    },
    "pipeline.status": () => Promise.resolve({ pipeline: summaryOf("p1", 3), runs: [] }),
  };
  await using runner = await connect(server, await server.token("a1"), { script });
  await runner.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await until("an end", async () => ["deployed", "failed"].includes((await viewOf(server)).deployment));
  assert.deepEqual([(await viewOf(server)).deployment, (await viewOf(server)).revision], ["deployed", 4]);
});

test("a lane that is woken at any turn of its end begins anew", async () => {
  const clock = { now: () => 0, sleep: () => new Promise<void>(() => {}) };
  for (let turns = 0; turns < 12; turns++) {
    let steps = 0;
    const step = (): Promise<Outcome> => Promise.resolve((steps++, { next: "idle" as const }));
    const lanes = createLanes({ step, clock, log: quiet, signal: new AbortController().signal });
    lanes.wake({ kind: "run", id: "r1" });
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    const before = steps;
    lanes.wake({ kind: "run", id: "r1" });
    await settled();
    assert.ok(steps > before, `after ${turns} turns`);
  }
});
