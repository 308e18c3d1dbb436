/** The local engine's folder, its limits and its schedules; and the engine that is none. */
import assert from "node:assert/strict";
import { createLocalEngine } from "../../adapters/engine/local/engine.ts";
import { createNoEngine } from "../../adapters/engine/none.ts";
import { isFault } from "../../mod/fault.ts";
import {
  ended,
  everything,
  faults,
  inState,
  reasonCode,
  request,
  startNow,
  until,
  watch,
} from "../contract/engine/harness.ts";
import { check } from "./local_check.ts";
import { AGENT } from "./local_harness.ts";

check("two runners on one folder: the second is refused", async (h) => {
  const { clock, stateDir } = h;
  const options = { agentId: AGENT, stateDir, commands: {}, secrets: {}, clock, log: () => {} };
  await faults("conflict", createLocalEngine(options));
  const other = await createLocalEngine({ ...options, agentId: "another" });
  await other.close();
});

check("after close every verb says so", async (h, signal) => {
  await h.engine.close();
  await faults("unavailable", h.engine.find(crypto.randomUUID(), signal));
  await faults("unavailable", h.engine.deploy(h.job({ does: "succeed" }), signal));
  await h.restart();
});

check("an acknowledged run is cleaned away when its time is over, no other is", async (h, signal) => {
  const job = h.job({ does: "succeed" }, { maxActiveRuns: "unlimited" });
  const told = await startNow(h, job, signal);
  const untold = await h.engine.start(request(job.pipelineId), signal);
  for (const { runId } of [told, untold]) await ended(h, runId, signal);
  await h.engine.acknowledge(told.runId, signal);
  h.clock.advance(500_000);
  await h.engine.health(signal);
  assert.equal((await everything(h, signal)).length, 2);
  h.clock.advance(200_000);
  await until(h, "it is gone", async () => (await h.engine.find(told.runId, signal)) === undefined, signal);
  assert.deepEqual((await everything(h, signal)).map((run) => run.runId), [untold.runId]);
});

check("no more runs than allowed are live at once", async (h, signal) => {
  const job = h.job({ does: "sleep" }, { maxActiveRuns: "unlimited" });
  const first = await startNow(h, job, signal);
  await inState(h, first.runId, "running", signal);
  const second = await h.engine.start(request(job.pipelineId), signal);
  assert.equal(await reasonCode(h, second.runId, signal), "WaitingForCapacity");
  await h.engine.stop(first.runId, signal);
  await inState(h, second.runId, "running", signal);
}, { maxRuns: 1 });

check("slots that passed while the runner was away are told as missed, the latest of them", async (h, signal) => {
  const job = h.job({ does: "succeed" }, { schedule: "0 0 * * *" });
  const { nextRunAt } = await h.engine.deploy(job, signal);
  assert(nextRunAt);
  await h.engine.close();
  h.clock.advance(Date.parse(nextRunAt) - h.clock.now() + 3 * 86_400_000 + 60_000);
  const latest = new Date(Date.parse(nextRunAt) + 3 * 86_400_000).toISOString();
  await h.restart();
  const w = watch(h, signal);
  const [view] = await h.engine.pipelines(signal);
  assert.equal(view?.nextRunAt, new Date(Date.parse(latest) + 86_400_000).toISOString());
  const events = await until(h, "it is told", () => {
    const found = w.events.filter((event) => event.kind === "schedule");
    return found.length > 0 && found;
  }, signal);
  assert.deepEqual(events, [{ kind: "schedule", event: "missed", pipelineId: job.pipelineId, scheduledAt: latest }]);
  assert.deepEqual(await everything(h, signal), []);
  await w.stop();
});

Deno.test({
  name: "local engine: without the right to start processes it says so",
  permissions: { run: false, read: true, write: true },
  fn: async () => {
    const stateDir = await Deno.makeTempDir();
    const clock = { now: Date.now, sleep: () => Promise.resolve() };
    const options = { agentId: AGENT, stateDir, commands: {}, secrets: {}, clock, log: () => {} };
    await assert.rejects(createLocalEngine(options), (error: unknown) => {
      assert(isFault(error, "unavailable"));
      assert.match(error.message, /--allow-run/);
      return true;
    });
    await Deno.remove(stateDir, { recursive: true });
  },
});

Deno.test("no engine: says why, and never that a run is absent", async () => {
  const engine = createNoEngine("no cluster is in reach");
  const signal = AbortSignal.timeout(5_000);
  const runId = crypto.randomUUID();
  for (const refused of [engine.find(runId, signal), engine.stop(runId, signal), engine.acknowledge(runId, signal)]) {
    await faults("unavailable", refused);
  }
  await faults("unavailable", engine.everything(signal)[Symbol.asyncIterator]().next());
  assert.deepEqual(await engine.pipelines(signal), []);
  const { healthy, message } = await engine.health(signal);
  assert.deepEqual([healthy, message], [false, "no cluster is in reach"]);
  const ending = new AbortController();
  const events = engine.runs(ending.signal)[Symbol.asyncIterator]();
  assert.deepEqual((await events.next()).value, { kind: "listed" });
  const waiting = events.next();
  const reason = new Error("enough");
  ending.abort(reason);
  await assert.rejects(waiting, reason);
});
