/** Schedules while the engine lives; what it does about slots while it is away is each engine's own. */
import assert from "node:assert/strict";
import { type Check, ended, everything, inState, reasonCode, request, startNow, until, watch } from "./harness.ts";

export const scheduleChecks: Record<string, Check> = {
  "a slot mints one run, also across a restart": {
    async run(h, signal) {
      const w = watch(h, signal);
      const job = h.job({ does: "succeed", lines: 1 }, { schedule: h.schedule, maxActiveRuns: "unlimited" });
      const { nextRunAt } = await h.engine.deploy(job, signal);
      assert(nextRunAt);
      await h.toSlot(nextRunAt);
      const scheduled = async () => (await everything(h, signal)).find((run) => run.scheduledAt === nextRunAt);
      const run = await until(h, "the slot's run", scheduled, signal);
      assert.deepEqual([run.origin, run.pipelineId, run.revision], ["schedule", job.pipelineId, job.revision]);
      const isMinted = () => w.events.find((event) => event.kind === "schedule" && event.event === "minted");
      const minted = await until(h, "the slot is told", isMinted, signal);
      assert.deepEqual(minted, {
        ...{ kind: "schedule", event: "minted" },
        ...{ pipelineId: job.pipelineId, scheduledAt: nextRunAt, runId: run.runId },
      });
      await h.restart();
      await ended(h, run.runId, signal);
      // A run by command passes through the new engine: whatever it would do about the slot, it has done.
      const other = await h.engine.start(request(job.pipelineId), signal);
      await ended(h, other.runId, signal);
      const runs = (await everything(h, signal)).filter((each) => each.scheduledAt === nextRunAt);
      assert.deepEqual(runs.map((each) => each.runId), [run.runId]);
      const [view] = await h.engine.pipelines(signal);
      assert(String(view?.nextRunAt) > nextRunAt && view?.lastRunAt, JSON.stringify(view));
      await w.stop();
    },
  },

  "a schedule that is off mints nothing": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" }, { schedule: h.schedule });
      const { nextRunAt } = await h.engine.deploy(job, signal);
      assert(nextRunAt);
      await h.engine.enable(job.pipelineId, job.revision + 1, false, signal);
      const other = h.job({ does: "succeed" }, { pipelineId: "on", schedule: h.schedule });
      await h.engine.deploy(other, signal);
      await h.toSlot(nextRunAt);
      const isOther = async () => (await everything(h, signal)).some((run) => run.pipelineId === "on");
      await until(h, "the other pipeline's run", isOther, signal);
      const pipelines = new Set((await everything(h, signal)).map((run) => run.pipelineId));
      assert.deepEqual([...pipelines], ["on"]);
      await until(h, "all ended", async () => (await everything(h, signal)).every((run) => run.times.finished), signal);
    },
  },

  "a slot that comes while a run by command is live waits its turn": {
    async run(h, signal) {
      const job = h.job({ does: "sleep" }, { schedule: h.schedule, maxActiveRuns: 1 });
      const live = await startNow(h, job, signal);
      await inState(h, live.runId, "running", signal);
      const nextRunAt = (await h.engine.pipelines(signal))[0]?.nextRunAt;
      assert(nextRunAt);
      await h.toSlot(nextRunAt);
      const scheduled = async () => (await everything(h, signal)).find((run) => run.scheduledAt === nextRunAt);
      const minted = await until(h, "the slot's run", scheduled, signal);
      assert.equal(minted.state, "queued");
      await h.engine.enable(job.pipelineId, job.revision + 1, false, signal);
      assert.equal(await reasonCode(h, minted.runId, signal), "WaitingForMutex");
      await h.engine.stop(live.runId, signal);
      await inState(h, live.runId, "stopped", signal);
      await inState(h, minted.runId, "running", signal);
      await h.engine.stop(minted.runId, signal);
      await inState(h, minted.runId, "stopped", signal);
    },
  },

  "a slot is skipped while a scheduled run of the pipeline is live": {
    async run(h, signal) {
      const w = watch(h, signal);
      const job = h.job({ does: "sleep" }, { schedule: h.schedule, maxActiveRuns: 1 });
      const first = (await h.engine.deploy(job, signal)).nextRunAt;
      assert(first);
      await h.toSlot(first);
      const scheduled = async () => (await everything(h, signal)).find((run) => run.scheduledAt === first);
      const live = await until(h, "the slot's run", scheduled, signal);
      await inState(h, live.runId, "running", signal);
      const nextRunAt = (await h.engine.pipelines(signal))[0]?.nextRunAt;
      assert(nextRunAt && nextRunAt > first);
      await h.toSlot(nextRunAt);
      const isSkipped = () => w.events.find((event) => event.kind === "schedule" && event.event === "skipped");
      const skipped = await until(h, "the slot is told", isSkipped, signal);
      assert(skipped.kind === "schedule" && skipped.scheduledAt === nextRunAt);
      await h.engine.enable(job.pipelineId, job.revision + 1, false, signal);
      await h.engine.stop(live.runId, signal);
      await inState(h, live.runId, "stopped", signal);
      assert.deepEqual((await everything(h, signal)).map((run) => run.runId), [live.runId]);
      await w.stop();
    },
  },
};
