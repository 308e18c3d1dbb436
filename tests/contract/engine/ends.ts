/** How runs end, and how they are ended. */
import assert from "node:assert/strict";
import { isTerminal, RANK } from "../../../mod/run.ts";
import { type Check, ended, everything, faults, inState, readLog, request, startNow, until, watch } from "./harness.ts";

export const endChecks: Record<string, Check> = {
  "states come in order, and times never go back": {
    async run(h, signal) {
      const w = watch(h, signal);
      await w.listed();
      const job = h.job({ does: "print", lines: 3, everyMs: 300 });
      const { runId } = await startNow(h, job, signal);
      await until(h, "the end is told", () => w.of(runId).some((run) => run.state === "success"), signal);
      const told = w.of(runId);
      const states = [...new Set(told.map((run) => run.state))];
      assert.deepEqual(states.slice(-2), ["running", "success"]);
      assert(states.length === 2 || states[0] === "queued", String(states));
      for (const [at, run] of told.entries()) {
        assert(at === 0 || RANK[run.state] >= RANK[told[at - 1]?.state ?? "queued"]);
      }
      const { received, accepted, created, started, finished } = (await ended(h, runId, signal)).times;
      const times = [received, accepted, created, started, finished];
      for (const time of times) assert.match(String(time), /^\d{4}-.*Z$/);
      assert.deepEqual([...times].sort(), times);
      await w.stop();
    },
  },

  "a failed run tells its exit code and last lines": {
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "fail", exitCode: 3, lines: 30 }), signal);
      const run = await inState(h, runId, "failed", signal);
      assert.equal(run.diagnostics?.exitCode, 3);
      assert(run.reason?.code, "a reason code");
      assert.match(run.reason.message, /3/);
      const last = run.diagnostics?.lastLines ?? [];
      assert.equal(last.at(-1), "line 30");
      assert(last.length >= 5 && last.length <= 30, `${last.length} lines`);
    },
  },

  "a partial success comes from the termination message": {
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "partial" }), signal);
      await inState(h, runId, "partialSuccess", signal);
    },
  },

  "the canary needs no job": {
    async run(h, signal) {
      const job = h.job({ does: "succeed" }, { kind: "automation", type: "canary", document: "{}", env: undefined });
      const run = await h.engine.start(request(job.pipelineId, { job }), signal);
      await inState(h, run.runId, "success", signal);
    },
  },

  "a terminal state is final": {
    async run(h, signal) {
      const w = watch(h, signal);
      const { runId } = await startNow(h, h.job({ does: "fail", exitCode: 1, lines: 1 }), signal);
      const first = await ended(h, runId, signal);
      await until(h, "the end is told", () => w.of(runId).some((run) => isTerminal(run.state)), signal);
      await h.engine.stop(runId, signal);
      await h.restart();
      const again = watch(h, signal);
      await until(h, "the end is told again", () => again.of(runId).some((run) => isTerminal(run.state)), signal);
      const told = [...w.of(runId), ...again.of(runId)].filter((run) => isTerminal(run.state));
      for (const run of told) assert.deepEqual(plain(run), plain(first));
      assert.deepEqual(plain(await h.engine.find(runId, signal)), plain(first));
      await Promise.all([w.stop(), again.stop()]);
    },
  },

  "stop ends a running run": {
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "sleep" }), signal);
      await inState(h, runId, "running", signal);
      await h.engine.stop(runId, signal);
      const run = await inState(h, runId, "stopped", signal);
      assert(run.times.started && run.times.finished);
    },
  },

  "stop ends a waiting run, and it never runs": {
    async run(h, signal) {
      const job = h.job({ does: "sleep" }, { maxActiveRuns: 1 });
      const first = await startNow(h, job, signal);
      const second = await h.engine.start(request(job.pipelineId), signal);
      await inState(h, first.runId, "running", signal);
      await h.engine.stop(second.runId, signal);
      const stopped = await inState(h, second.runId, "stopped", signal);
      assert.equal(stopped.times.started, undefined);
      await h.engine.stop(first.runId, signal);
      await inState(h, first.runId, "stopped", signal);
      if (h.engine.logs) assert.deepEqual((await readLog(h, second.runId, { follow: true }, signal)).lines, []);
    },
  },

  "a stop right after the start ends the run": {
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "sleep" }), signal);
      await h.engine.stop(runId, signal);
      await inState(h, runId, "stopped", signal);
    },
  },

  "stop ends a job that ignores SIGTERM": {
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "ignore-term" }), signal);
      await inState(h, runId, "running", signal);
      if (h.engine.logs) {
        const text = async () => (await readLog(h, runId, { follow: false }, signal)).lines.includes("line 1");
        await until(h, "the job is deaf", text, signal);
      }
      await h.engine.stop(runId, signal);
      await h.engine.stop(runId, signal);
      await inState(h, runId, "stopped", signal);
    },
  },

  "stop of an ended run answers what is": {
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
      const end = await ended(h, runId, signal);
      assert.deepEqual(plain(await h.engine.stop(runId, signal)), plain(end));
      assert.equal(end.state, "success");
    },
  },

  "stop of an unknown run is not found": {
    run: (h, signal) => faults("not_found", h.engine.stop(crypto.randomUUID(), signal)),
  },

  "a deadline ends the run as failed": {
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "sleep" }, { deadlineSeconds: 1 }), signal);
      const run = await inState(h, runId, "failed", signal);
      assert.equal(run.reason?.code, "DeadlineExceeded");
    },
  },

  "acknowledge hides a run from the watch, not from a look": {
    async run(h, signal) {
      const w = watch(h, signal);
      const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
      await until(h, "the end is told", () => w.of(runId).some((run) => isTerminal(run.state)), signal);
      await h.engine.acknowledge(runId, signal);
      const before = w.of(runId).length;
      await h.engine.acknowledge(runId, signal);
      const again = watch(h, signal);
      await again.listed();
      assert.deepEqual(again.of(runId), []);
      assert.equal((await h.engine.find(runId, signal))?.state, "success");
      assert.deepEqual((await everything(h, signal)).map((run) => run.runId), [runId]);
      await h.restart();
      const after = watch(h, signal);
      await after.listed();
      // Another run comes and goes: whatever the engine had still to tell, it has told by then.
      const other = await h.engine.start(request(h.job({ does: "succeed" }).pipelineId), signal);
      await until(h, "the other end", () => after.of(other.runId).some((run) => isTerminal(run.state)), signal);
      assert.deepEqual([w.of(runId).length, again.of(runId), after.of(runId)], [before, [], []]);
      await Promise.all([w.stop(), again.stop(), after.stop()]);
    },
  },

  "acknowledge of a live run is a conflict, of an unknown one harmless": {
    async run(h, signal) {
      await h.engine.acknowledge(crypto.randomUUID(), signal);
      const { runId } = await startNow(h, h.job({ does: "sleep" }), signal);
      await faults("conflict", h.engine.acknowledge(runId, signal));
      await h.engine.stop(runId, signal);
      await inState(h, runId, "stopped", signal);
    },
  },
};

/** Without members that are absent, as the wire sees it. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
