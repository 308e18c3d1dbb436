/** Sessions and commands, end to end in memory: what the protocol guarantees, one test each. */
import assert from "node:assert/strict";
import { createNoEngine } from "../../adapters/engine/none.ts";
import type { Job } from "../../mod/job.ts";
import { within } from "../wait.ts";
import { createWorld, inAnHour, jobOf, type Told, type World } from "./world.ts";

const never = new AbortController().signal;
const run = (last: string) => `00000000-0000-4000-8000-00000000000${last}`;
const ended = (runId: string) => (told: Told[]) =>
  told.some(({ method, params }) =>
    method === "run.status" && params.runId === runId && params.times.finished !== undefined
  );

async function deployed(world: World, job: Job = jobOf({})): Promise<void> {
  const { peer } = await world.session(0);
  await peer.request("pipeline.deploy", { revision: job.revision, job }, { signal: never });
}

Deno.test("session: hello, both snapshots, a run from command to its end, in order, marked", async () => {
  await using world = createWorld();
  await deployed(world);
  const { peer } = await world.session(0);
  const answer = await peer.request("pipeline.run", { runId: run("1"), pipelineId: "p", notAfter: inAnHour() }, {
    signal: never,
  });
  assert.equal(answer.runId, run("1"));
  await world.until(ended(run("1")));
  assert.deepEqual(world.states(run("1")), ["queued", "running", "success"]);
  assert.deepEqual(world.told.slice(0, 1).map((one) => one.method), ["runner.hello"]);
  assert(
    world.told.some((one) => one.method === "runs.snapshot") &&
      world.told.some((one) => one.method === "pipelines.snapshot"),
  );
  assert.deepEqual(world.audit.map((record) => record.method), ["pipeline.deploy", "pipeline.run"]);
});

Deno.test("command: the same run three times is one run; other content is a conflict", async () => {
  await using world = createWorld();
  await deployed(world);
  const { peer } = await world.session(0);
  const ask = () =>
    peer.request("pipeline.run", { runId: run("1"), pipelineId: "p", notAfter: inAnHour() }, { signal: never });
  const answers = await Promise.all([ask(), ask(), ask()]);
  assert.deepEqual(new Set(answers.map((answer) => answer.runId)).size, 1);
  const other = { runId: run("1"), pipelineId: "p", notAfter: inAnHour(), job: jobOf({ lines: ["other"] }) };
  await assert.rejects(peer.request("pipeline.run", other, { signal: never }), { code: "conflict" });
  await world.until(ended(run("1")));
  assert.deepEqual(world.states(run("1")), ["queued", "running", "success"]);
});

Deno.test("command: a stop that overtakes its start: it never runs, and is told as stopped", async () => {
  await using world = createWorld();
  await deployed(world);
  const { peer } = await world.session(0);
  const stopped = await peer.request("run.stop", { runId: run("2"), notAfter: inAnHour() }, { signal: never });
  assert.deepEqual(stopped, { runId: run("2"), stopped: true });
  const start = { runId: run("2"), pipelineId: "p", notAfter: inAnHour() };
  assert.equal((await peer.request("pipeline.run", start, { signal: never })).stopped, true);
  await world.until(ended(run("2")));
  assert.deepEqual(world.states(run("2")), ["queued", "stopped"]);
  assert.equal(await world.engine.find(run("2"), never), undefined);
});

Deno.test("command: a notAfter that passed, or lies beyond the object's life, is invalid; an existing run decides first", async () => {
  await using world = createWorld();
  await deployed(world);
  const { peer } = await world.session(0);
  const ask = (notAfter: string) =>
    peer.request("pipeline.run", { runId: run("3"), pipelineId: "p", notAfter }, { signal: never });
  const past = new Date(Date.now() - 60_000).toISOString();
  await assert.rejects(ask(past), { code: "invalid", message: /notAfter .* has passed/ });
  await assert.rejects(ask(new Date(Date.now() + 7_200_000).toISOString()), { code: "invalid" });
  await ask(inAnHour());
  assert.equal((await ask(past)).runId, run("3"));
});

Deno.test("command: an older revision is a conflict, the same again is the same answer", async () => {
  await using world = createWorld();
  await deployed(world, jobOf({}, { revision: 5 }));
  const { peer } = await world.session(0);
  const again = jobOf({}, { revision: 5 }),
    older = jobOf({}, { revision: 4 }),
    other = jobOf({ x: 1 }, { revision: 5 });
  assert.equal((await peer.request("pipeline.deploy", { revision: 5, job: again }, { signal: never })).revision, 5);
  for (const job of [older, other]) {
    await assert.rejects(peer.request("pipeline.deploy", { revision: job.revision, job }, { signal: never }), {
      code: "conflict",
    });
  }
});

Deno.test("command: a policy that says no is told as denied with its rule, and in the audit log", async () => {
  await using world = createWorld({
    policy: () => ({ allowed: false, rule: "images", reason: "this image is not allowed" }),
  });
  const { peer } = await world.session(0);
  await assert.rejects(peer.request("pipeline.deploy", { revision: 1, job: jobOf({}) }, { signal: never }), {
    code: "denied",
    message: /this image is not allowed/,
    details: { rule: "images" },
  });
  assert.deepEqual(world.audit.map(({ decision, rule }) => [decision, rule]), [["denied", "images"]]);
});

Deno.test("command: what is not there yet says so; a signed job too", async () => {
  await using world = createWorld();
  const { peer } = await world.session(0);
  await assert.rejects(peer.request("job.plan", { job: jobOf({}) }, { signal: never }), { code: "unavailable" });
  await assert.rejects(peer.request("pipeline.deploy", { revision: 1, job: "a.b.c" }, { signal: never }), {
    code: "unavailable",
  });
});

Deno.test("session: a canary goes the whole way", async () => {
  await using world = createWorld();
  const { peer } = await world.session(0);
  await peer.request("canary.run", { runId: run("4"), notAfter: inAnHour() }, { signal: never });
  await world.until(ended(run("4")));
  assert.equal(world.states(run("4")).at(-1), "success");
});

Deno.test("session: no sign of life for two heartbeats: the link is given up and dialled anew", async () => {
  await using world = createWorld({
    heartbeatSeconds: 0.1,
    answers: { "runner.heartbeat": () => new Promise(() => {}) },
  });
  await world.session(0);
  await world.session(1);
  assert(world.events.includes("link.lost"));
});

Deno.test("session: a send buffer that shrinks is a sign of life", async () => {
  await using world = createWorld({
    heartbeatSeconds: 0.1,
    answers: { "runner.heartbeat": () => new Promise(() => {}) },
  });
  const { far } = await world.session(0);
  far.buffered = 1e9;
  const until = Date.now() + 1000;
  while (Date.now() < until) {
    far.buffered -= 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(world.sessions.length, 1, "a slow link was taken for a dead one");
});

Deno.test("session: renewal awaits answers, closes with 1000, dials at once, loses nothing", async () => {
  const answers: (() => void)[] = [];
  await using world = createWorld({
    maxConnectionSeconds: 0.3,
    answers: { "run.status": () => new Promise((resolve) => answers.push(() => resolve({}))) },
  });
  const { peer, closed } = await world.session(0);
  await peer.request("canary.run", { runId: run("5"), notAfter: inAnHour() }, { signal: never });
  await world.until((told) => told.some((one) => one.method === "run.status"));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(world.sessions.length, 1, "it was renewed before its answers came");
  const answering = setInterval(() => answers.splice(0).forEach((answer) => answer()), 10);
  assert.equal((await within("the close", closed)).code, 1000);
  await world.session(1);
  await world.until(ended(run("5")));
  clearInterval(answering);
  assert(!world.events.includes("link.waiting"));
});

Deno.test("session: stopping tells what is left, refuses what is new, says 4400", async () => {
  let isHeld = true;
  const held: (() => void)[] = [];
  await using world = createWorld({
    answers: { "run.status": () => new Promise((resolve) => isHeld ? held.push(() => resolve({})) : resolve({})) },
  });
  const { peer, closed } = await world.session(0);
  await peer.request("canary.run", { runId: run("6"), notAfter: inAnHour() }, { signal: never });
  await world.until((told) => told.some((one) => one.method === "run.status"));
  const stopped = world.stop();
  await assert.rejects(peer.request("canary.run", { runId: run("7"), notAfter: inAnHour() }, { signal: never }), {
    code: "busy",
  });
  isHeld = false;
  held.forEach((answer) => answer());
  assert.equal((await within("the close", closed)).code, 4400);
  await stopped;
  assert.equal(world.states(run("6")).at(-1), "success");
});

Deno.test("session: a grace that is over ends everything", async () => {
  await using world = createWorld({
    shutdownGraceSeconds: 0.2,
    answers: { "run.status": () => new Promise(() => {}) },
  });
  const { peer } = await world.session(0);
  await peer.request("canary.run", { runId: run("8"), notAfter: inAnHour() }, { signal: never });
  await world.until((told) => told.some((one) => one.method === "run.status"));
  await world.stop();
});

Deno.test("snapshot: missing runs are looked up live: told again, or absent", async () => {
  await using world = createWorld({
    answers: {
      "runs.snapshot": ({ absent, last }) =>
        Promise.resolve({ decisions: [], ...absent === undefined && last ? { missing: [run("1"), run("9")] } : {} }),
    },
  });
  // The first session finds neither; the second finds run 1, which is told and acknowledged by then.
  const { peer, connection } = await world.session(0);
  await world.until((told) => told.some((one) => one.method === "runs.snapshot" && one.params.absent !== undefined));
  await peer.request("canary.run", { runId: run("1"), notAfter: inAnHour() }, { signal: never });
  await world.until(ended(run("1")));
  const before = world.states(run("1")).length;
  connection.close(4400, "the control plane restarts");
  await world.session(1);
  await world.until(() => world.states(run("1")).length === before * 2);
  const absent = world.told.flatMap((one) => one.method === "runs.snapshot" ? one.params.absent ?? [] : []);
  assert.deepEqual(absent, [run("1"), run("9"), run("9")]);
});

Deno.test("snapshot: after a restore it holds acknowledged runs too, in pages", async () => {
  await using world = createWorld({ full: true });
  const { peer, connection } = await world.session(0);
  for (const n of ["1", "2", "3", "4", "5"]) {
    await peer.request("canary.run", { runId: run(n), notAfter: inAnHour() }, { signal: never });
    await world.until(ended(run(n)));
  }
  const already = world.told.length;
  connection.close(4400, "the control plane restarts");
  await world.session(1);
  await world.until((told) => told.slice(already).some((one) => one.method === "pipelines.snapshot"));
  const pages = world.told.slice(already).flatMap((one) => one.method === "runs.snapshot" ? [one.params] : []);
  assert.deepEqual(pages.map(({ page, last, runs }) => [page, last, runs.length]), [[0, false, 2], [1, false, 2], [
    2,
    true,
    1,
  ]]);
});

Deno.test("session: a runner without an engine says so in hello, tells no snapshot, answers unavailable", async () => {
  await using world = createWorld({ engine: createNoEngine("there is no cluster here") });
  const { peer } = await world.session(0);
  const hello = world.told[0];
  assert(hello?.method === "runner.hello");
  assert.equal(hello.params.engine.kind, "none");
  await assert.rejects(peer.request("pipeline.deploy", { revision: 1, job: jobOf({}) }, { signal: never }), {
    code: "unavailable",
    message: /there is no cluster here/,
  });
  await world.until((told) => told.some((one) => one.method === "runner.heartbeat"));
  assert(!world.told.some((one) => one.method.endsWith("snapshot")));
});
