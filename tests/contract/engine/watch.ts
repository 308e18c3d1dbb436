/** The sequence of list and watch, and what survives the engine. */
import assert from "node:assert/strict";
import { isTerminal } from "../../../mod/run.ts";
import { type Check, ended, everything, inState, readLog, request, startNow, until, watch } from "./harness.ts";

export const watchChecks: Record<string, Check> = {
  "runs lists what exists, then says so, then follows": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" }, { maxActiveRuns: "unlimited" });
      const first = await startNow(h, job, signal);
      await ended(h, first.runId, signal);
      const w = watch(h, signal);
      await w.listed();
      const mark = w.events.findIndex((event) => event.kind === "listed");
      const listed = w.events.slice(0, mark).map((event) => event.kind === "run" && event.run.state);
      assert.deepEqual(listed, ["success"]);
      const second = await h.engine.start(request(job.pipelineId), signal);
      await until(h, "the second is told", () => w.of(second.runId).some((run) => run.state === "success"), signal);
      assert.equal(w.events.filter((event) => event.kind === "listed").length, 1);
      await w.stop();
    },
  },

  "every reader sees every end": {
    async run(h, signal) {
      const readers = [watch(h, signal), watch(h, signal), watch(h, signal)];
      const job = h.job({ does: "succeed" }, { maxActiveRuns: "unlimited" });
      await h.engine.deploy(job, signal);
      const started = Array.from({ length: 5 }, () => h.engine.start(request(job.pipelineId), signal));
      for (const { runId } of await Promise.all(started)) {
        for (const w of readers) {
          await until(h, "the end is told", () => w.of(runId).some((run) => run.state === "success"), signal);
        }
      }
      await Promise.all(readers.map((w) => w.stop()));
    },
  },

  "a reader that sleeps misses no last view": {
    async run(h, signal) {
      const ending = new AbortController();
      const late = AbortSignal.timeout(h.patienceMs);
      const events = h.engine.runs(AbortSignal.any([signal, late, ending.signal]))[Symbol.asyncIterator]();
      assert.deepEqual((await events.next()).value, { kind: "listed" });
      const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
      await ended(h, runId, signal);
      // Nothing was read while the run went through its states.
      let last;
      while (last !== "success") {
        const { value } = await events.next();
        if (value?.kind === "run" && value.run.runId === runId) last = value.run.state;
      }
      ending.abort(new Error("over"));
      await events.return?.();
    },
  },

  "one reader's end leaves the others": {
    async run(h, signal) {
      const leaving = watch(h, signal), staying = watch(h, signal);
      await Promise.all([leaving.listed(), staying.listed()]);
      await leaving.stop();
      const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
      await until(h, "the end is told", () => staying.of(runId).some((run) => run.state === "success"), signal);
      assert.deepEqual(leaving.of(runId), []);
      await staying.stop();
    },
  },

  "an abort ends every wait with its own reason": {
    async run(h, signal) {
      const reason = new Error("enough");
      const aborted = AbortSignal.abort(reason);
      const job = h.job({ does: "sleep" });
      await assert.rejects(h.engine.deploy(job, aborted), reason);
      const { runId } = await startNow(h, job, signal);
      await assert.rejects(h.engine.start(request(job.pipelineId), aborted), reason);
      await assert.rejects(h.engine.find(runId, aborted), reason);
      await assert.rejects(h.engine.stop(runId, aborted), reason);
      const waits = [
        (ending: AbortSignal) => drain(h.engine.runs(ending)),
        ...(h.engine.logs
          ? [(ending: AbortSignal) => drain(h.engine.logs?.(runId, { follow: true }, ending) ?? [])]
          : []),
      ];
      for (const wait of waits) {
        const ending = new AbortController();
        const waiting = wait(ending.signal);
        setTimeout(() => ending.abort(reason), 200);
        const late = AbortSignal.timeout(h.patienceMs);
        const slept = new Promise((_, reject) =>
          late.addEventListener("abort", () => reject(new Error("the abort was slept through")), { once: true })
        );
        await assert.rejects(Promise.race([waiting, slept]), reason);
      }
      await h.engine.stop(runId, signal);
      await inState(h, runId, "stopped", signal);
    },
  },

  "a restart finds the live run, and it ends once": {
    async run(h, signal) {
      const job = h.job({ does: "print", lines: 4, everyMs: 500 });
      const { runId } = await startNow(h, job, signal);
      await inState(h, runId, "running", signal);
      await h.restart();
      const w = watch(h, signal);
      await until(h, "the end is told", () => w.of(runId).some((run) => isTerminal(run.state)), signal);
      const ends = w.of(runId).filter((run) => isTerminal(run.state));
      assert.deepEqual([...new Set(ends.map((run) => JSON.stringify(run)))].length, 1);
      assert.equal(ends[0]?.state, "success");
      if (h.engine.logs) {
        const { lines } = await readLog(h, runId, { follow: false }, signal);
        assert.deepEqual(lines, ["line 1", "line 2", "line 3", "line 4"]);
      }
      assert.equal((await everything(h, signal)).length, 1);
      await w.stop();
    },
  },

  "a restart goes on with what waits": {
    async run(h, signal) {
      const job = h.job({ does: "sleep" }, { maxActiveRuns: 1 });
      const first = await startNow(h, job, signal);
      const second = await h.engine.start(request(job.pipelineId), signal);
      await h.restart();
      await inState(h, first.runId, "running", signal);
      assert.equal((await h.engine.find(second.runId, signal))?.state, "queued");
      await h.engine.stop(first.runId, signal);
      await inState(h, second.runId, "running", signal);
      await h.restart();
      await h.engine.stop(second.runId, signal);
      await inState(h, second.runId, "stopped", signal);
    },
  },

  "an end that was not acknowledged is told after a restart": {
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "fail", exitCode: 9, lines: 2 }), signal);
      await ended(h, runId, signal);
      await h.restart();
      const w = watch(h, signal);
      await w.listed();
      assert.deepEqual(w.of(runId).map((run) => run.state), ["failed"]);
      assert.equal(w.of(runId)[0]?.diagnostics?.exitCode, 9);
      await w.stop();
    },
  },

  "a run that is deleted before its end is told as failed, reason deleted": {
    async run(h, signal) {
      const w = watch(h, signal);
      const { runId } = await startNow(h, h.job({ does: "sleep" }), signal);
      await until(h, "it runs", () => w.of(runId).some((run) => run.state === "running"), signal);
      await h.deleteRun(runId);
      await until(h, "the end is told", () => w.of(runId).some((run) => isTerminal(run.state)), signal);
      const ends = w.of(runId).filter((run) => isTerminal(run.state));
      assert.deepEqual(ends.map((run) => [run.state, run.reason?.code]), [["failed", "deleted"]]);
      assert.equal(await h.engine.find(runId, signal), undefined);
      await h.engine.acknowledge(runId, signal);
      await w.stop();
    },
  },

  "health says that the engine is well": {
    async run(h, signal) {
      const { healthy, version, message } = await h.engine.health(signal);
      assert(healthy, message);
      assert(version.length > 0 && message.length > 0);
    },
  },
};

async function drain(events: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
  for await (const _ of events);
}
