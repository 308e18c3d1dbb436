/** The log of a run: whole, in order, resumable, and honest about what is no more. */
import assert from "node:assert/strict";
import type { LogPiece } from "../../../mod/ports.ts";
import { type Check, ended, faults, inState, numbered, readLog, startNow, until } from "./harness.ts";

const needs = ["logs"] as const;

export const logChecks: Record<string, Check> = {
  "a followed log is whole, in order, and ends with the run": {
    needs,
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "print", lines: 20, everyMs: 50 }), signal);
      const { lines, end } = await readLog(h, runId, { follow: true }, signal);
      assert.deepEqual(lines, numbered(20));
      assert(end?.kind === "end" && end.reason === "finished");
      assert.equal((await ended(h, runId, signal)).state, "success");
    },
  },

  "a log that is not followed ends where it is": {
    needs,
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "sleep" }), signal);
      await inState(h, runId, "running", signal);
      const look = async () => (await readLog(h, runId, { follow: false }, signal)).lines.length > 0;
      await until(h, "the first line", look, signal);
      const { lines, end } = await readLog(h, runId, { follow: false }, signal);
      assert.deepEqual(lines, ["line 1"]);
      assert(end?.kind === "end" && end.reason === "not-following");
      await h.engine.stop(runId, signal);
      await inState(h, runId, "stopped", signal);
    },
  },

  "a cursor resumes without loss or repeat": {
    needs,
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "print", lines: 10, everyMs: 100 }), signal);
      // One piece per reading while the log grows: a resume at every point that the timing offers.
      const lines: string[] = [];
      let cursor: string | undefined;
      let last: LogPiece | undefined;
      while (last?.kind !== "end") {
        assert(h.engine.logs);
        for await (last of h.engine.logs(runId, { follow: true, cursor }, signal)) {
          if (last.kind === "lines") lines.push(...last.lines);
          if (last.kind !== "gap") cursor = last.cursor;
          break;
        }
      }
      assert.deepEqual(lines, numbered(10));
      assert.deepEqual((await readLog(h, runId, { follow: true, cursor }, signal)).lines, [], "nothing after the end");
    },
  },

  "a cursor resumes in a long log, and after a restart": {
    needs,
    async run(h, signal) {
      const count = 30_000;
      const { runId } = await startNow(h, h.job({ does: "print", lines: count, everyMs: 0 }), signal);
      await ended(h, runId, signal);
      const { pieces } = await readLog(h, runId, { follow: false }, signal);
      const chunks = pieces.filter((piece) => piece.kind === "lines");
      assert(chunks.length > 3, "a long log comes in many pieces");
      for (const piece of chunks) {
        const bytes = piece.lines.reduce((sum, line) => sum + line.length + 1, 0);
        assert(bytes <= 70 * 1024, `a piece of ${bytes} bytes`);
      }
      assert.deepEqual(chunks.flatMap((piece) => piece.lines), numbered(count));
      await h.restart();
      const middle = chunks[1];
      assert(middle);
      const rest = await readLog(h, runId, { follow: true, cursor: middle.cursor }, signal);
      assert.deepEqual(rest.lines, chunks.slice(2).flatMap((piece) => piece.lines));
    },
  },

  "a run without output has an empty log, not a lost one": {
    needs,
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
      await ended(h, runId, signal);
      const { lines, end } = await readLog(h, runId, { follow: true }, signal);
      assert.deepEqual(lines, []);
      assert(end?.kind === "end" && end.reason === "finished");
    },
  },

  "a log that is no more says gone": {
    needs,
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "succeed", lines: 3 }), signal);
      await ended(h, runId, signal);
      await h.loseLog(runId);
      for (const follow of [true, false]) {
        const { lines, end } = await readLog(h, runId, { follow }, signal);
        assert.deepEqual(lines, []);
        assert(end?.kind === "end" && end.reason === "gone", JSON.stringify(end));
      }
    },
  },

  "the log of an unknown run is not found": {
    needs,
    run: (h, signal) => faults("not_found", readLog(h, crypto.randomUUID(), { follow: true }, signal)),
  },

  "a cursor that the engine never gave is invalid": {
    needs,
    async run(h, signal) {
      const { runId } = await startNow(h, h.job({ does: "succeed", lines: 1 }), signal);
      await ended(h, runId, signal);
      for (const cursor of ["", "-1", "x", "1e3", "9".repeat(400)]) {
        await faults("invalid", readLog(h, runId, { follow: false, cursor }, signal), "cursor");
      }
    },
  },
};
