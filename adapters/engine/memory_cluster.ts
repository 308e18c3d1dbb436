/** The memory engine's cluster: runs and pipelines as values, and the scripts that drive the runs. */
import * as z from "zod/mini";
import type { Job } from "../../mod/job.ts";
import type { Clock, StartRequest } from "../../mod/ports.ts";
import { isTerminal, RANK, type Run } from "../../mod/run.ts";
import { forever } from "../../mod/waiting.ts";
import type { HeldPipeline, PipelineStore } from "./revisions.ts";

/** What a run does: prints, sleeps, ends. All members may be absent. */
export const MemoryScript = z.strictObject({
  script: z.literal("memory"),
  /** Printed at once, `repeat` times in turn; `{n}` becomes the line's number. */
  lines: z.optional(z.array(z.string())),
  repeat: z.optional(z.int()),
  /** Before each line but the first. */
  everyMs: z.optional(z.number()),
  /** After the lines; -1: until it is stopped. */
  sleepMs: z.optional(z.number()),
  /** How long a stop takes. */
  stopMs: z.optional(z.number()),
  exit: z.optional(z.int()),
  partial: z.optional(z.boolean()),
});
/** What a run does. */
export type MemoryScript = z.infer<typeof MemoryScript>;

/** A run, and what the view does not show. */
export interface MemoryRun extends Run {
  /** Of the request that made it. */
  digest: string;
  /** What it runs. */
  job: Job;
  /** The end was told and taken. */
  acknowledged: boolean;
  /** Lines are made when they are read. */
  log: { count: number; line(at: number): string } | "gone";
  /** Aborted when a stop is asked. */
  stop: AbortController;
}

/** What outlives an engine. */
export interface MemoryCluster {
  /** By runId, in the order of their creation. */
  runs: Map<string, MemoryRun>;
  /** By pipeline id. */
  pipelines: Map<string, HeldPipeline>;
  /** The pipelines as schedules want them. */
  store: PipelineStore;
  /** Told of every change of a run. */
  listeners: Set<(run: MemoryRun) => void>;
  /** Makes the run; it goes on by itself when it may. */
  create(request: StartRequest, job: Job, revision: number, digest: string): MemoryRun;
  /** Asks the run to end as stopped. */
  stop(run: MemoryRun): void;
  /** Takes the run away from outside. */
  delete(runId: string): void;
  /** Ends every script; resolves when the last has ended. */
  shutDown(): Promise<void>;
}

/** An empty cluster. */
export function createMemoryCluster(clock: Clock): MemoryCluster {
  const runs = new Map<string, MemoryRun>();
  const pipelines = new Map<string, HeldPipeline>();
  const listeners = new Set<(run: MemoryRun) => void>();
  const driving = new Set<Promise<void>>();
  const power = new AbortController();
  const store: PipelineStore = {
    read: (pipelineId) => Promise.resolve(pipelines.get(pipelineId)),
    all: () => Promise.resolve([...pipelines.values()]),
    save: (held) => Promise.resolve(void pipelines.set(held.pipelineId, held)),
    remove: (pipelineId) => Promise.resolve(void pipelines.delete(pipelineId)),
  };

  const instant = (...after: (string | undefined)[]) =>
    new Date(Math.max(clock.now(), ...after.map((text) => text === undefined ? 0 : Date.parse(text)))).toISOString();
  const change = (run: MemoryRun, part: Partial<Run>) => {
    if (isTerminal(run.state) || (part.state !== undefined && RANK[part.state] < RANK[run.state])) return;
    Object.assign(run, part);
    for (const listener of listeners) listener(run);
    if (isTerminal(run.state)) release();
  };
  const end = (run: MemoryRun, part: Partial<Run>) =>
    change(run, { ...part, times: { ...run.times, finished: instant(run.times.created, run.times.started) } });
  const stopped = { state: "stopped", reason: { code: "Stopped", message: "A stop was asked" } } as const;

  const release = () => {
    if (power.signal.aborted) return;
    const live = [...runs.values()].filter((run) => !isTerminal(run.state));
    for (const run of live) {
      if (run.state !== "queued") continue;
      const other = live.find((each) => each !== run && each.pipelineId === run.pipelineId && each.state === "running");
      if (run.job.maxActiveRuns === 1 && other !== undefined) {
        const reason = { code: "WaitingForMutex", message: `Waiting for run ${other.runId} of the same pipeline` };
        if (run.reason?.message !== reason.message) change(run, { reason });
        continue;
      }
      change(run, {
        state: "running",
        reason: undefined,
        times: { ...run.times, started: instant(run.times.created) },
      });
      const drive: Promise<void> = play(run).finally(() => driving.delete(drive));
      driving.add(drive);
    }
  };

  const play = async (run: MemoryRun): Promise<void> => {
    const { runId, job } = run;
    const script = readScript(job.document);
    const deadline = new AbortController();
    const signal = AbortSignal.any([power.signal, run.stop.signal, deadline.signal]);
    const tooLong = job.deadlineSeconds === undefined ? undefined : clock
      .sleep(job.deadlineSeconds * 1000, signal).then(() => deadline.abort(), () => {});
    const all = (script.repeat ?? 1) * (script.lines?.length ?? 0);
    const lineAt = (at: number) => (script.lines?.[at % script.lines.length] ?? "").replace("{n}", String(at + 1));
    const log = { count: 0, line: lineAt };
    run.log = log;
    try {
      while (script.everyMs !== undefined && log.count < all) {
        if (log.count++ > 0) await clock.sleep(script.everyMs, signal);
      }
      log.count = all;
      if (script.sleepMs !== undefined) {
        await (script.sleepMs < 0 ? forever(signal) : clock.sleep(script.sleepMs, signal));
      }
      if (job.deadlineSeconds !== undefined) run.stop.signal.throwIfAborted();
      end(run, outcomeOf(script, log));
    } catch {
      if (power.signal.aborted || runs.get(runId) !== run) return;
      if (script.stopMs !== undefined) await clock.sleep(script.stopMs, power.signal).catch(() => {});
      const reason = { code: "DeadlineExceeded", message: "The run took longer than its deadline" };
      end(run, deadline.signal.aborted ? { state: "failed", reason } : stopped);
    } finally {
      deadline.abort();
      await tooLong;
    }
  };

  return {
    ...{ runs, pipelines, store, listeners },
    create(request, job, revision, digest) {
      const { runId, pipelineId, origin, scheduledAt, received } = request;
      const now = instant(received);
      const run: MemoryRun = {
        ...{ runId, pipelineId, revision, kind: job.kind, origin, scheduledAt, state: "queued", digest, job },
        ...{ acknowledged: false, log: { count: 0, line: () => "" }, stop: new AbortController() },
        times: { received, accepted: now, created: now },
      };
      runs.set(runId, run);
      for (const listener of listeners) listener(run);
      // Not at once: whoever asked gets its answer before the run goes on.
      queueMicrotask(release);
      return run;
    },
    stop(run) {
      run.stop.abort();
      if (run.state === "queued") end(run, stopped);
    },
    delete(runId) {
      const run = runs.get(runId);
      if (run === undefined) return;
      runs.delete(runId);
      const reason = { code: "deleted", message: "The run was deleted from outside before it ended" };
      end(run, run.stop.signal.aborted ? stopped : { state: "failed", reason });
      run.stop.abort();
    },
    async shutDown() {
      power.abort();
      await Promise.all(driving);
    },
  };
}

/** The port's view of a run. */
export function viewOf(run: MemoryRun): Run {
  const { runId, pipelineId, revision, kind, origin, scheduledAt, state, times, reason, diagnostics } = run;
  const all = { runId, pipelineId, revision, kind, origin, scheduledAt, state, times, reason, diagnostics };
  return structuredClone(all);
}

function readScript(document: string): MemoryScript {
  try {
    const script = MemoryScript.safeParse(JSON.parse(document));
    if (script.success) return script.data;
  } catch {
    // Not JSON: it is printed like any other document.
  }
  return { script: "memory", lines: document.replace(/\n$/, "").split("\n") };
}

function outcomeOf(script: MemoryScript, log: { count: number; line(at: number): string }): Partial<Run> {
  const exitCode = script.exit ?? 0;
  if (exitCode === 0) return { state: script.partial ? "partialSuccess" : "success" };
  const from = Math.max(0, log.count - 20);
  const lastLines = Array.from({ length: log.count - from }, (_, at) => log.line(from + at));
  const reason = { code: "NonZeroExit", message: `The job's process ended with exit code ${exitCode}` };
  return { state: "failed", reason, diagnostics: { exitCode, lastLines } };
}
