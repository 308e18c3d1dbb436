/** Revisions: what is in force, and what comes too late. */
import assert from "node:assert/strict";
import { type Check, ended, everything, faults, inState, request, startNow, watch } from "./harness.ts";

export const pipelineChecks: Record<string, Check> = {
  "a deployed pipeline is told as it is": {
    async run(h, signal) {
      assert.deepEqual(await h.engine.pipelines(signal), []);
      const job = h.job({ does: "succeed" }, { revision: 4, schedule: "30 2 * * *", timezone: "Europe/Berlin" });
      const view = await h.engine.deploy(job, signal);
      assert.equal(view.pipelineId, job.pipelineId);
      assert.deepEqual([view.revision, view.deployedRevision, view.enabled], [4, 4, true]);
      assert.deepEqual([view.name, view.type], [job.name, job.type]);
      assert.deepEqual([view.schedule, view.timezone], ["30 2 * * *", "Europe/Berlin"]);
      assert.match(String(view.nextRunAt), /^\d{4}-\d\d-\d\dT0[01]:30:00\.000Z$/);
      assert.deepEqual(await h.engine.pipelines(signal), [view]);
      await h.restart();
      assert.deepEqual(await h.engine.pipelines(signal), [view]);
    },
  },

  "an older revision is a conflict": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" }, { revision: 5 });
      const view = await h.engine.deploy(job, signal);
      await faults("conflict", h.engine.deploy({ ...job, revision: 4 }, signal));
      await faults("conflict", h.engine.enable(job.pipelineId, 4, false, signal));
      await faults("conflict", h.engine.remove(job.pipelineId, 4, signal));
      assert.deepEqual(await h.engine.pipelines(signal), [view]);
    },
  },

  "the same revision with the same content answers the same, with other content it is a conflict": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" }, { revision: 5 });
      const view = await h.engine.deploy(job, signal);
      assert.deepEqual(await h.engine.deploy(job, signal), view);
      await faults("conflict", h.engine.deploy({ ...job, document: job.document + "\n# other" }, signal));
      const next = await h.engine.deploy({ ...job, revision: 6, name: "new" }, signal);
      assert.deepEqual([next.revision, next.name], [6, "new"]);
    },
  },

  "a toggle raises the revision, not the deployed one": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" }, { revision: 2, schedule: "0 0 1 1 *" });
      await h.engine.deploy(job, signal);
      const off = await h.engine.enable(job.pipelineId, 3, false, signal);
      assert.deepEqual([off.revision, off.deployedRevision, off.enabled, off.nextRunAt], [3, 2, false, undefined]);
      assert.deepEqual(await h.engine.enable(job.pipelineId, 3, false, signal), off);
      await faults("conflict", h.engine.enable(job.pipelineId, 3, true, signal));
      await faults("conflict", h.engine.deploy({ ...job, revision: 3, name: "x" }, signal));
      const on = await h.engine.enable(job.pipelineId, 4, true, signal);
      assert.deepEqual([on.revision, on.deployedRevision, on.enabled], [4, 2, true]);
      assert(on.nextRunAt);
      // Off means the schedule only: a command still runs it.
      await h.engine.enable(job.pipelineId, 5, false, signal);
      const run = await h.engine.start(request(job.pipelineId, { revision: 2 }), signal);
      assert.equal((await ended(h, run.runId, signal)).state, "success");
    },
  },

  "a toggle of an unknown pipeline is not found": {
    run: (h, signal) => faults("not_found", h.engine.enable("nowhere", 1, true, signal)),
  },

  "remove stops the runs and leaves nothing": {
    async run(h, signal) {
      const job = h.job({ does: "sleep" }, { revision: 3, maxActiveRuns: 1 });
      const other = h.job({ does: "succeed" }, { pipelineId: "other" });
      const kept = await h.engine.deploy(other, signal);
      const running = await startNow(h, job, signal);
      const waiting = await h.engine.start(request(job.pipelineId), signal);
      await inState(h, running.runId, "running", signal);
      await h.engine.remove(job.pipelineId, 3, signal);
      for (const { runId } of [running, waiting]) await inState(h, runId, "stopped", signal);
      assert.deepEqual(await h.engine.pipelines(signal), [kept]);
      await faults("not_found", h.engine.start(request(job.pipelineId), signal));
      for (const { runId } of [running, waiting]) await h.engine.acknowledge(runId, signal);
      const w = watch(h, signal);
      await w.listed();
      assert.equal(w.events.length, 1, "nothing but the end of the list");
      await w.stop();
      // Again, and of what never was: both are done already.
      await h.engine.remove(job.pipelineId, 3, signal);
      await h.engine.remove("nowhere", 1, signal);
    },
  },

  "a removed pipeline can be deployed again": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" }, { revision: 3 });
      await h.engine.deploy(job, signal);
      await h.engine.remove(job.pipelineId, 4, signal);
      const run = await startNow(h, { ...job, revision: 5 }, signal);
      assert.equal((await ended(h, run.runId, signal)).state, "success");
      assert.equal((await everything(h, signal)).length, 1);
    },
  },

  "a schedule or time zone that cannot be is invalid, with the field's path": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" });
      await faults("invalid", h.engine.deploy({ ...job, schedule: "every day" }, signal), "schedule");
      await faults("invalid", h.engine.deploy({ ...job, schedule: "0 0 31 2 *" }, signal), "schedule");
      const zoned = { ...job, schedule: "0 0 * * *", timezone: "Mars/Olympus" };
      await faults("invalid", h.engine.deploy(zoned, signal), "timezone");
      assert.deepEqual(await h.engine.pipelines(signal), []);
    },
  },
};
