/** Starting, and everything that a repeated or wrong start must not do. */
import assert from "node:assert/strict";
import type { Job } from "../../../mod/job.ts";
import { type Check, ended, everything, faults, inState, readLog, reasonCode, request, startNow } from "./harness.ts";

export const commandChecks: Record<string, Check> = {
  "start is idempotent": {
    async run(h, signal) {
      const job = h.job({ does: "succeed", lines: 1 });
      await h.engine.deploy(job, signal);
      const asked = request(job.pipelineId);
      await h.engine.start(asked, signal);
      const second = await h.engine.start({ ...asked, received: new Date().toISOString() }, signal);
      assert.equal(second.runId, asked.runId);
      const end = await ended(h, asked.runId, signal);
      assert.equal(end.state, "success");
      // After the end too: the object still stands for the command.
      assert.deepEqual(await h.engine.start(asked, signal), end);
      assert.equal((await everything(h, signal)).length, 1);
      if (h.engine.logs) assert.deepEqual((await readLog(h, asked.runId, { follow: false }, signal)).lines, ["line 1"]);
    },
  },

  "starts of one run at the same time make one object": {
    async run(h, signal) {
      const job = h.job({ does: "succeed", lines: 1 });
      await h.engine.deploy(job, signal);
      const asked = request(job.pipelineId);
      const answers = await Promise.all(Array.from({ length: 8 }, () => h.engine.start(asked, signal)));
      for (const answer of answers) assert.equal(answer.runId, asked.runId);
      await ended(h, asked.runId, signal);
      assert.equal((await everything(h, signal)).length, 1);
      if (h.engine.logs) assert.deepEqual((await readLog(h, asked.runId, { follow: false }, signal)).lines, ["line 1"]);
    },
  },

  "a start with other content is a conflict": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" });
      const own = request(job.pipelineId, { job });
      await h.engine.start(own, signal);
      const other: Job = { ...job, document: job.document + "\n# another" };
      await faults("conflict", h.engine.start({ ...own, job: other }, signal));
      await faults("conflict", h.engine.start({ ...own, pipelineId: "another", job: undefined }, signal));
      assert.equal((await ended(h, own.runId, signal)).state, "success");
    },
  },

  "a start of a pipeline that is not deployed is not found": {
    run: (h, signal) => faults("not_found", h.engine.start(request("nowhere"), signal)),
  },

  "a start for a revision that is not in force is a conflict": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" }, { revision: 7 });
      await h.engine.deploy(job, signal);
      await faults("conflict", h.engine.start(request(job.pipelineId, { revision: 6 }), signal));
      assert.deepEqual(await everything(h, signal), [], "a refused start leaves nothing");
      const run = await h.engine.start(request(job.pipelineId, { revision: 7 }), signal);
      assert.equal(run.revision, 7);
      await ended(h, run.runId, signal);
    },
  },

  "a start that is repeated after a new deploy finds its run": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" }, { revision: 1 });
      await h.engine.deploy(job, signal);
      const asked = request(job.pipelineId);
      await h.engine.start(asked, signal);
      await h.engine.deploy({ ...job, revision: 2, name: "another name" }, signal);
      assert.equal((await h.engine.start(asked, signal)).revision, 1, "the run keeps the revision it was made of");
      await ended(h, asked.runId, signal);
    },
  },

  "a run with its own job needs no deploy": {
    async run(h, signal) {
      for (const kind of ["automation", "application"] as const) {
        const job = h.job({ does: "succeed" }, { kind, pipelineId: `own-${kind}`, revision: 0 });
        const run = await h.engine.start(request(job.pipelineId, { job }), signal);
        assert.equal(run.kind, kind);
        assert.equal((await ended(h, run.runId, signal)).state, "success");
      }
      assert.deepEqual(await h.engine.pipelines(signal), []);
    },
  },

  "a run is found by its id, and nothing else is": {
    async run(h, signal) {
      assert.equal(await h.engine.find(crypto.randomUUID(), signal), undefined);
      const job = h.job({ does: "succeed" }, { revision: 3 });
      const run = await startNow(h, job, signal);
      assert.equal(run.pipelineId, job.pipelineId);
      assert.equal(run.origin, "command");
      assert.equal(run.revision, 3);
      assert.equal(run.kind, "pipeline");
      assert.equal((await h.engine.find(run.runId, signal))?.runId, run.runId);
      await ended(h, run.runId, signal);
    },
  },

  "runs of one pipeline exclude each other, in the order of their starts": {
    async run(h, signal) {
      const job = h.job({ does: "sleep" }, { maxActiveRuns: 1 });
      const first = await startNow(h, job, signal);
      const second = await h.engine.start(request(job.pipelineId), signal);
      const third = await h.engine.start(request(job.pipelineId), signal);
      for (const [at, run] of [first, second, third].entries()) {
        await inState(h, run.runId, "running", signal);
        const live = (await everything(h, signal)).filter((each) => each.state === "running");
        assert.deepEqual(live.map((each) => each.runId), [run.runId], `only run ${at + 1} runs`);
        await h.engine.stop(run.runId, signal);
        await inState(h, run.runId, "stopped", signal);
      }
      const runs = [first, second, third].map(({ runId }) => h.engine.find(runId, signal));
      const [a, b, c] = await Promise.all(runs);
      assert(String(a?.times.finished) <= String(b?.times.started), "the second starts after the first has ended");
      assert(String(b?.times.finished) <= String(c?.times.started), "the third starts after the second has ended");
    },
  },

  "a run that waits for another says so": {
    async run(h, signal) {
      const job = h.job({ does: "sleep" }, { maxActiveRuns: 1 });
      const first = await startNow(h, job, signal);
      await inState(h, first.runId, "running", signal);
      const second = await h.engine.start(request(job.pipelineId), signal);
      assert.equal(await reasonCode(h, second.runId, signal), "WaitingForMutex");
      for (const run of [second, first]) await h.engine.stop(run.runId, signal);
      for (const run of [second, first]) await inState(h, run.runId, "stopped", signal);
    },
  },

  "runs of an unlimited pipeline, and of two pipelines, run side by side": {
    async run(h, signal) {
      const job = h.job({ does: "sleep" }, { maxActiveRuns: "unlimited" });
      const other = h.job({ does: "sleep" }, { pipelineId: "other", maxActiveRuns: 1 });
      const runs = [
        await startNow(h, job, signal),
        await h.engine.start(request(job.pipelineId), signal),
        await startNow(h, other, signal),
      ];
      // Stopped only when all of them run at once.
      for (const run of runs) await inState(h, run.runId, "running", signal);
      for (const run of runs) await h.engine.stop(run.runId, signal);
      for (const run of runs) await inState(h, run.runId, "stopped", signal);
    },
  },

  "documents with every odd character arrive as they are": {
    needs: ["logs"],
    async run(h, signal) {
      const odd =
        `quotes: 'a"b''c'\n# $HOME \`id\` $(id) %s \\n \\ {{workflow.uid}} {{= 1 }} ü ß 漢 👩‍🚀 \u00a0 \u2028 \ufeff ﷽\nlast: "x"`;
      const job = h.job({ does: "echo", document: odd });
      const run = await startNow(h, job, signal);
      assert.equal((await ended(h, run.runId, signal)).state, "success");
      const { lines } = await readLog(h, run.runId, { follow: true }, signal);
      assert.equal(lines.join("\n"), odd);
    },
  },

  "ids and names of odd characters and full length work": {
    async run(h, signal) {
      const odd = `../../etc/passwd\u0000 "quoted" 'x' $(id) ü漢👩‍🚀\n\ttab %2F {{x}} `;
      for (const [at, text] of [odd + "x".repeat(300 - odd.length), "a".repeat(512), ".", "..", "/"].entries()) {
        const job = h.job({ does: "succeed" }, { pipelineId: text, name: text });
        const view = await h.engine.deploy(job, signal);
        assert.equal(view.name, text);
        const run = await h.engine.start(request(text), signal);
        assert.equal((await ended(h, run.runId, signal)).pipelineId, text);
        assert.equal((await h.engine.pipelines(signal)).length, at + 1);
      }
    },
  },
};
