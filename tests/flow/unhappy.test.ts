/** Unhappy paths of the flow: what one bad run, answer or moment must not do to everything else. */
import assert from "node:assert/strict";
import { systemClock } from "../../adapters/clock.ts";
import { createMemoryEngine } from "../../adapters/engine/memory.ts";
import { Fault } from "../../mod/fault.ts";
import { fitted, pagesOf } from "../../mod/flow/fitting.ts";
import { createKeyed } from "../../mod/keyed.ts";
import { createOutbox } from "../../mod/flow/outbox.ts";
import { createStarts } from "../../mod/flow/starts.ts";
import type { Engine } from "../../mod/ports.ts";
import type { RunStatus } from "../../mod/protocol/methods.ts";
import type { Run } from "../../mod/run.ts";
import { testClock, testLog } from "../fakes/pair.ts";
import { settled, within } from "../wait.ts";
import { createWorld, inAnHour, jobOf, type Told } from "./world.ts";

const never = new AbortController().signal;
const run = (n: number) => `00000000-0000-4000-8000-${`${n}`.padStart(12, "0")}`;
const at = new Date(Date.UTC(2026, 2, 1)).toISOString();
const failedRun = (n: number, more: Partial<Run> = {}): Run => ({
  ...{ runId: run(n), pipelineId: "p", revision: 1, kind: "pipeline", origin: "command", state: "failed" },
  ...{ times: { received: at, accepted: at, created: at, started: at, finished: at }, ...more },
});
const asks = (method: Told["method"]) => (told: Told[]) => told.some((one) => one.method === method);

Deno.test("unhappy: a pipeline's stop and a repeated start of its live run don't wait for each other", async () => {
  await using world = createWorld();
  const { peer } = await world.session(0);
  const job = jobOf({ script: "memory", sleepMs: -1 });
  await peer.request("pipeline.deploy", { revision: 1, job }, { signal: never });
  const start = () =>
    peer.request("pipeline.run", { runId: run(1), pipelineId: "p", notAfter: inAnHour() }, { signal: never });
  await start();
  const stopping = peer.request("pipeline.stop", { pipelineId: "p" }, { signal: never });
  const again = start();
  assert.deepEqual((await within("the stop's answer", stopping)).runIds, [run(1)]);
  assert.equal((await within("the start's answer", again)).runId, run(1));
});

Deno.test("unhappy: snapshots of long failures fit into the control plane's frames", async () => {
  const lines = Array.from({ length: 20 }, () => "x".repeat(2000));
  const runs = Array.from({ length: 60 }, (_, n) => failedRun(n, { diagnostics: { exitCode: 1, lastLines: lines } }));
  const memory = createMemoryEngine({ clock: systemClock });
  const engine: Engine = {
    ...memory,
    async *runs(signal) {
      for (const one of runs) yield { kind: "run", run: one };
      yield { kind: "listed" };
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
    acknowledge: () => Promise.resolve(),
  };
  await using world = createWorld({ engine });
  await world.until(asks("pipelines.snapshot"));
  await world.until((told) => told.filter((one) => one.method === "run.status").length === 180);
  assert.equal(world.sessions.length, 1);
  await memory.close();
});

Deno.test("unhappy: pages hold at most so many items and a frame, every item once and in order", () => {
  const items = Array.from({ length: 500 }, (_, n) => "y".repeat((n * 37) % 3000));
  const pages = pagesOf(items, 40, 64 * 1024);
  assert.deepEqual(pages.flat(), items);
  assert(pages.every((page) => page.length <= 40 && JSON.stringify(page).length < 64 * 1024));
  assert.deepEqual(pagesOf([], 40, 64 * 1024), [[]]);
});

Deno.test("unhappy: a status that is too large loses its last lines first, then all that explains it", () => {
  const status: RunStatus = { ...failedRun(1, { reason: { code: "X", message: "m".repeat(4000) } }), note: 0 };
  const lines = { ...status, diagnostics: { exitCode: 3, lastLines: ["z".repeat(100_000)] } };
  assert.deepEqual(fitted(lines, 64 * 1024).diagnostics, { exitCode: 3 });
  const facts = { ...status, diagnostics: { facts: { a: "z".repeat(100_000) } } };
  const bare = fitted(facts, 64 * 1024);
  assert.deepEqual([bare.state, bare.diagnostics, bare.reason?.message.length], ["failed", undefined, 1024]);
  assert.equal(fitted(status, 1 << 20), status);
});

Deno.test("unhappy: a run that cannot be read is neither there nor absent, and the session goes on", async () => {
  const memory = createMemoryEngine({ clock: systemClock });
  const broken = new Fault("malformed", "Cannot read the run: run.json is broken");
  const engine: Engine = {
    ...memory,
    find: (runId, signal) => runId === run(1) ? Promise.reject(broken) : memory.find(runId, signal),
  };
  await using world = createWorld({
    engine,
    answers: {
      "runs.snapshot": ({ absent }) =>
        Promise.resolve({ decisions: [], ...absent ? {} : { missing: [run(1), run(2)] } }),
    },
  });
  await world.until(asks("pipelines.snapshot"));
  const absent = world.told.flatMap((one) => one.method === "runs.snapshot" ? one.params.absent ?? [] : []);
  assert.deepEqual([absent, world.sessions.length], [[run(2)], 1]);
  await memory.close();
});

Deno.test("unhappy: a schedule event that the control plane refuses is dropped, and the next one is told", async () => {
  const memory = createMemoryEngine({ clock: systemClock });
  const engine: Engine = {
    ...memory,
    async *runs(signal) {
      yield { kind: "listed" };
      for (const pipelineId of ["first", "second"]) {
        yield { kind: "schedule", event: "missed", pipelineId, scheduledAt: at };
      }
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  };
  await using world = createWorld({
    engine,
    heartbeatSeconds: 5,
    answers: {
      "pipeline.event": ({ pipelineId }) =>
        pipelineId === "first"
          ? Promise.reject(new Fault("busy", "Cannot write: the database is busy"))
          : Promise.resolve({}),
    },
  });
  await world.until((told) =>
    told.some((one) => one.method === "pipeline.event" && one.params.pipelineId === "second")
  );
  assert.equal(world.sessions.length, 1);
  await memory.close();
});

Deno.test("unhappy: what a job said is redacted on every way out", async () => {
  const canary = "canary-8c1d";
  await using world = createWorld({ full: true });
  const { peer, connection } = await world.session(0);
  const job = jobOf({ script: "memory", lines: [`db_password=${canary}`], exit: 1 });
  await peer.request("pipeline.deploy", { revision: 1, job }, { signal: never });
  const start = { runId: run(1), pipelineId: "p", notAfter: inAnHour() };
  await peer.request("pipeline.run", start, { signal: never });
  await world.until((told) => told.some((one) => one.method === "run.status" && one.params.state === "failed"));
  const status = await peer.request("pipeline.status", { pipelineId: "p" }, { signal: never });
  const again = await peer.request("pipeline.run", start, { signal: never });
  connection.close(4400, "the control plane restarts");
  await world.session(1);
  await world.until((told) => told.filter((one) => one.method === "pipelines.snapshot").length === 2);
  assert.equal(status.runs[0]?.diagnostics?.lastLines?.length, 1);
  assert(!JSON.stringify([world.told, status, again]).includes(canary), "a credential left");
});

Deno.test("unhappy: a hundred runs that cannot be marked don't keep another from being told", async () => {
  const clock = testClock(), told: string[] = [];
  const denied = new Fault("denied", "Cannot mark the run: HTTP 403");
  const engine = { acknowledge: (runId: string) => runId === run(999) ? Promise.resolve() : Promise.reject(denied) };
  const { log, events } = testLog();
  const outbox = createOutbox({ engine, clock, log });
  for (let n = 0; n < 100; n++) outbox.observe(failedRun(n));
  const stop = new AbortController();
  const delivering = outbox.deliver(({ runId }) => Promise.resolve(void told.push(runId)), stop.signal);
  await settled();
  outbox.observe(failedRun(999));
  await settled();
  assert(told.includes(run(999)));
  for (let minute = 0; minute < 3; minute++) await clock.advance(60_000);
  assert.equal(
    events.filter((event) => event === "outbox.not_told").length,
    100,
    "one line for each, not for each try",
  );
  stop.abort();
  await delivering;
});

Deno.test("unhappy: a stop still holds for its start after the clocks were measured anew", async () => {
  const clock = testClock();
  let offset = 0;
  const memory = createMemoryEngine({ clock: systemClock });
  const outbox = createOutbox({ engine: memory, clock, log: testLog().log });
  const starts = createStarts({
    ...{
      engine: memory,
      gate: () => Promise.resolve(),
      outbox,
      clock,
      keyed: createKeyed(),
      listed: Promise.resolve(),
    },
    ...{ objectLifeSeconds: 600, serverOffsetMs: () => offset },
  });
  const notAfter = new Date(clock.now() + 10_000).toISOString();
  await starts.stop(run(1), notAfter, never);
  await clock.advance(15_000);
  offset = -14_000;
  const answer = await starts.start(
    "canary.run",
    { runId: run(1), pipelineId: "p", notAfter, job: jobOf({}) },
    never,
    clock.now(),
  );
  assert.equal(answer.stopped, true);
  await memory.close();
});

Deno.test("unhappy: a stop while the connection is being renewed is told as a stop, with all that is owed", async () => {
  let isHeld = true;
  const held: (() => void)[] = [];
  await using world = createWorld({
    maxConnectionSeconds: 0.2,
    answers: { "run.status": () => new Promise((resolve) => isHeld ? held.push(() => resolve({})) : resolve({})) },
  });
  const { peer, closed } = await world.session(0);
  await peer.request("canary.run", { runId: run(1), notAfter: inAnHour() }, { signal: never });
  await world.until(asks("run.status"));
  // The renewal waits for the answer that is held.
  await new Promise((resolve) => setTimeout(resolve, 400));
  const stopped = world.stop();
  isHeld = false;
  held.forEach((answer) => answer());
  assert.equal((await within("the close", closed)).code, 4400);
  await stopped;
});
