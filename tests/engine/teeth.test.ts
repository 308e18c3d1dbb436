/** The suite can fail: each sabotage of a good engine fails the check that is named for it. */
import assert from "node:assert/strict";
import type { MemoryEngine } from "../../adapters/engine/memory.ts";
import { isTerminal, type Run } from "../../mod/run.ts";
import { engineChecks, runCheck } from "../contract/engine.ts";
import { makeMemoryHarness } from "./memory_harness.ts";

interface Tooth {
  sabotage: string;
  check: string;
  through(engine: MemoryEngine): MemoryEngine;
}

const TEETH: Tooth[] = [
  {
    sabotage: "a repeated start makes another run",
    check: "start is idempotent",
    through(engine) {
      const seen = new Set<string>();
      const start: MemoryEngine["start"] = async (request, signal) => {
        const runId = seen.has(request.runId) ? crypto.randomUUID() : request.runId;
        seen.add(request.runId);
        return { ...await engine.start({ ...request, runId }, signal), runId: request.runId };
      };
      return { ...engine, start };
    },
  },
  {
    sabotage: "two starts at once both pass the look",
    check: "starts of one run at the same time make one object",
    through(engine) {
      const start: MemoryEngine["start"] = async (request, signal) => {
        const there = await engine.find(request.runId, signal);
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (there !== undefined) return there;
        const answer = await engine.start({ ...request, runId: crypto.randomUUID() }, signal);
        if (await engine.find(request.runId, signal) === undefined) await engine.start(request, signal);
        return { ...answer, runId: request.runId };
      };
      return { ...engine, start };
    },
  },
  {
    sabotage: "other content under the same runId is answered as a success",
    check: "a start with other content is a conflict",
    through: (engine) => ({
      ...engine,
      start: async (request, signal) => await engine.find(request.runId, signal) ?? engine.start(request, signal),
    }),
  },
  {
    sabotage: "the terminal state is told twice, the second time differently",
    check: "a terminal state is final",
    through: (engine) =>
      altered(engine, (run) => [run, { ...run, state: run.state === "failed" ? "stopped" : run.state }]),
  },
  {
    sabotage: "times go back",
    check: "states come in order, and times never go back",
    through: (engine) => ({
      ...engine,
      async find(runId, signal) {
        const run = await engine.find(runId, signal);
        return run && { ...run, times: { ...run.times, finished: "2001-01-01T00:00:00.000Z" } };
      },
    }),
  },
  {
    sabotage: "an abort is slept through",
    check: "an abort ends every wait with its own reason",
    through: (engine) => ({ ...engine, runs: () => engine.runs(new AbortController().signal) }),
  },
  {
    sabotage: "an abort becomes another error",
    check: "an abort ends every wait with its own reason",
    through: (engine) => ({
      ...engine,
      find: (runId, signal) => engine.find(runId, signal).catch(() => Promise.reject(new Error("aborted"))),
    }),
  },
  {
    sabotage: "a stop reports success and does nothing",
    check: "stop ends a running run",
    through: (engine) => ({
      ...engine,
      async stop(runId, signal) {
        const run = await engine.find(runId, signal);
        assert(run);
        return { ...run, state: "stopped" };
      },
    }),
  },
  {
    sabotage: "a stop of an unknown run is a success",
    check: "stop of an unknown run is not found",
    through: (engine) => ({
      ...engine,
      stop: (runId, signal) =>
        engine.stop(runId, signal).catch(() => ({
          ...{ runId, pipelineId: "?", revision: 0, kind: "pipeline", origin: "command", state: "stopped", times: {} },
        })),
    }),
  },
  {
    sabotage: "the log drops a line at the point of resuming",
    check: "a cursor resumes without loss or repeat",
    through: (engine) => ({
      ...engine,
      async *logs(runId, options, signal) {
        let isFirst = options.cursor !== undefined;
        for await (const piece of engine.logs(runId, options, signal)) {
          const lines = piece.kind === "lines" && isFirst ? piece.lines.slice(1) : undefined;
          isFirst = false;
          yield piece.kind === "lines" && lines ? { ...piece, lines } : piece;
        }
      },
    }),
  },
  {
    sabotage: "the log repeats what stood before the cursor",
    check: "a cursor resumes in a long log, and after a restart",
    through: (engine) => ({
      ...engine,
      logs: (runId, options, signal) =>
        engine.logs(runId, { ...options, cursor: String(Math.max(0, Number(options.cursor ?? 0) - 1)) }, signal),
    }),
  },
  {
    sabotage: "a log that is gone is an empty success",
    check: "a log that is no more says gone",
    through: (engine) => ({
      ...engine,
      async *logs(runId, options, signal) {
        for await (const piece of engine.logs(runId, options, signal)) {
          yield piece.kind === "end" ? { ...piece, reason: "finished" } : piece;
        }
      },
    }),
  },
  {
    sabotage: "an acknowledged run is told again",
    check: "acknowledge hides a run from the watch, not from a look",
    through: (engine) => ({ ...engine, acknowledge: () => Promise.resolve() }),
  },
  {
    sabotage: "an acknowledged run is hidden from a look too",
    check: "acknowledge hides a run from the watch, not from a look",
    through(engine) {
      const hidden = new Set<string>();
      return {
        ...engine,
        acknowledge: (runId, signal) => (hidden.add(runId), engine.acknowledge(runId, signal)),
        find: async (runId, signal) => hidden.has(runId) ? undefined : await engine.find(runId, signal),
      };
    },
  },
  {
    sabotage: "one exception stops the watch for good",
    check: "every reader sees every end",
    through: (engine) => ({
      ...engine,
      async *runs(signal) {
        for await (const event of engine.runs(signal)) {
          if (event.kind === "run") throw new Error("one bad event");
          yield event;
        }
      },
    }),
  },
  {
    sabotage: "a reader that sleeps loses the last view",
    check: "a reader that sleeps misses no last view",
    through: (engine) => altered(engine, (run) => isTerminal(run.state) ? [] : [run]),
  },
  {
    sabotage: "an older revision is taken",
    check: "an older revision is a conflict",
    through: (engine) => ({
      ...engine,
      deploy: (job, signal) =>
        engine.deploy(job, signal).catch(() => engine.deploy({ ...job, revision: job.revision + 10 }, signal)),
    }),
  },
  {
    sabotage: "a toggle counts as a deploy",
    check: "a toggle raises the revision, not the deployed one",
    through: (engine) => ({
      ...engine,
      async enable(pipelineId, revision, on, signal) {
        const view = await engine.enable(pipelineId, revision, on, signal);
        return { ...view, deployedRevision: view.revision };
      },
    }),
  },
  {
    sabotage: "remove leaves the runs running",
    check: "remove stops the runs and leaves nothing",
    through: (engine) => ({ ...engine, remove: () => Promise.resolve() }),
  },
  {
    sabotage: "runs of one pipeline run at the same time",
    check: "runs of one pipeline exclude each other, in the order of their starts",
    through: (engine) => ({
      ...engine,
      deploy: (job, signal) => engine.deploy({ ...job, maxActiveRuns: "unlimited" }, signal),
    }),
  },
];

for (const { sabotage, check, through } of TEETH) {
  Deno.test({
    name: `engine contract has teeth: ${sabotage}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      const known = engineChecks[check];
      assert(known, `there is a check named "${check}"`);
      const make = (sabotaged: boolean) => () =>
        makeMemoryHarness({ patienceMs: sabotaged ? 700 : 10_000, ...(sabotaged ? { through } : {}) });
      await runCheck(known, make(false), 30_000);
      await assert.rejects(runCheck(known, make(true), 30_000));
    },
  });
}

/** Every view that the watch tells, replaced. */
function altered(engine: MemoryEngine, change: (run: Run) => Run[]): MemoryEngine {
  return {
    ...engine,
    async *runs(signal) {
      for await (const event of engine.runs(signal)) {
        if (event.kind !== "run") yield event;
        else for (const run of change(event.run)) yield { kind: "run", run };
      }
    },
  };
}
