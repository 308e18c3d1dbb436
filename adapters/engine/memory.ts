/**
 * An engine without a world, for fast tests and benches. Its "cluster" is a value that outlives the engine, so that a
 * restart can be tried. What a run does is a script in its job's document (`MemoryScript`); any other document is
 * printed, and the run succeeds.
 */
import { contentDigest } from "../../mod/digest.ts";
import { Fault } from "../../mod/fault.ts";
import { createKeyed } from "../../mod/keyed.ts";
import type { Clock, Engine, EngineLogs, Log, LogPiece } from "../../mod/ports.ts";
import { isTerminal } from "../../mod/run.ts";
import { createFeed } from "./feed.ts";
import { startLoop } from "./loop.ts";
import { createMemoryCluster, type MemoryCluster, type MemoryRun, viewOf } from "./memory_cluster.ts";
import { deployed, refuseOlder, toggled, viewOfPipeline } from "./revisions.ts";
import { createSlots } from "./slots.ts";

/** What the engine is made of. */
export interface MemoryEngineOptions {
  /** Tells the time, and waits. */
  clock: Clock;
  /** Part of what digests are keyed with. */
  agentId?: string;
  /** Runs and pipelines; a fresh one where absent. */
  cluster?: MemoryCluster;
  /** Gets what loops meet with. */
  log?: Log;
}

/** The engine, and the way to be rid of it; the runs of its cluster go on. */
export interface MemoryEngine extends Engine, EngineLogs, AsyncDisposable {
  /** Ends loops and watches; the cluster goes on. */
  close(): Promise<void>;
}

/** Log text in one piece. */
const PIECE_CHARACTERS = 60_000;
/** How long `remove` waits for runs to end, and how often it looks. */
const REMOVE_MS = 60_000;
const REMOVE_LOOK_MS = 10;

/** Makes the engine; nothing can fail. */
export function createMemoryEngine(options: MemoryEngineOptions): MemoryEngine {
  const { clock, agentId = "memory", log = () => {} } = options;
  const cluster = options.cluster ?? createMemoryCluster(clock);
  const { runs, pipelines } = cluster;
  const ending = new AbortController();
  const life = ending.signal;
  const feed = createFeed();
  const perPipeline = createKeyed();
  const tell = (run: MemoryRun) => run.acknowledged || feed.publish({ kind: "run", run: viewOf(run) });
  cluster.listeners.add(tell);

  const start: Engine["start"] = async (request, signal) => {
    signal.throwIfAborted();
    const { runId, pipelineId, job, revision } = request;
    const digest = contentDigest(agentId, runId, { pipelineId, revision: revision ?? null, job: job ?? null });
    const there = runs.get(runId);
    if (there !== undefined) {
      if (there.digest === digest) return viewOf(there);
      throw new Fault("conflict", `Cannot start run ${runId}: a run of this id with other content exists`);
    }
    if (job !== undefined) return viewOf(cluster.create(request, job, job.revision, digest));
    const held = pipelines.get(pipelineId);
    if (held === undefined) {
      throw new Fault("not_found", `Cannot start run ${runId} of pipeline "${pipelineId}": it is not deployed`);
    }
    if (revision !== undefined && revision !== held.deployedRevision) {
      const reason = `revision ${held.deployedRevision} is in force, not ${revision}`;
      throw new Fault("conflict", `Cannot start run ${runId} of pipeline "${pipelineId}": ${reason}`);
    }
    const run = cluster.create(request, held.job, held.deployedRevision, digest);
    pipelines.set(pipelineId, { ...held, lastRunAt: run.times.created });
    return await Promise.resolve(viewOf(run));
  };

  const store = cluster.store;
  const isRunningSlot = (pipelineId: string) =>
    Promise.resolve(liveOf(pipelineId).some((run) => run.origin === "schedule"));
  const liveOf = (pipelineId: string) =>
    [...runs.values()].filter((run) => run.pipelineId === pipelineId && !isTerminal(run.state));
  const slots = createSlots({
    ...{ agentId, pipelines: store, clock, log, feed, perPipeline, life, isRunningSlot },
    start: (request) => start(request, life),
  });
  const loop = startLoop({ name: "memory-engine", clock, log, life, round: () => slots.round() });

  const close = async () => {
    if (life.aborted) return;
    ending.abort(new Error("the engine was closed"));
    cluster.listeners.delete(tell);
    await loop.done;
    await slots.settled();
  };

  return {
    description: { kind: "memory", version: "1", lacks: ["schedules-while-away", "diagnose"] },
    deploy: (job, signal) =>
      perPipeline.run([job.pipelineId], () => {
        const digest = contentDigest(agentId, job.pipelineId, job);
        const next = deployed(pipelines.get(job.pipelineId), job, digest, clock.now());
        pipelines.set(job.pipelineId, next);
        loop.ring();
        return Promise.resolve(viewOfPipeline(next, clock.now()));
      }, signal),
    enable: (pipelineId, revision, on, signal) =>
      perPipeline.run([pipelineId], () => {
        const next = toggled(pipelines.get(pipelineId), pipelineId, revision, on, clock.now());
        pipelines.set(pipelineId, next);
        loop.ring();
        return Promise.resolve(viewOfPipeline(next, clock.now()));
      }, signal),
    remove: (pipelineId, revision, signal) =>
      perPipeline.run([pipelineId], async () => {
        const held = pipelines.get(pipelineId);
        if (held !== undefined) refuseOlder("remove", pipelineId, revision, held.revision);
        const until = clock.now() + REMOVE_MS;
        for (let live = liveOf(pipelineId); live.length > 0; live = liveOf(pipelineId)) {
          if (clock.now() > until) throw new Fault("unavailable", `Cannot remove "${pipelineId}": its runs do not end`);
          for (const run of live) cluster.stop(run);
          await clock.sleep(REMOVE_LOOK_MS, signal);
        }
        pipelines.delete(pipelineId);
      }, signal),
    async pipelines(signal) {
      signal.throwIfAborted();
      return (await store.all()).map((held) => viewOfPipeline(held, clock.now()));
    },
    start: (request, signal) => perPipeline.run([request.pipelineId], () => start(request, signal), signal),
    async stop(runId, signal) {
      signal.throwIfAborted();
      const run = runs.get(runId);
      if (run === undefined) throw new Fault("not_found", `Cannot stop run ${runId}: there is no such run`);
      cluster.stop(run);
      return await Promise.resolve(viewOf(run));
    },
    async find(runId, signal) {
      signal.throwIfAborted();
      const run = runs.get(runId);
      return await Promise.resolve(run && viewOf(run));
    },
    async acknowledge(runId, signal) {
      signal.throwIfAborted();
      const run = runs.get(runId);
      if (run !== undefined && !isTerminal(run.state)) {
        throw new Fault("conflict", `Cannot acknowledge run ${runId}: it has not ended`);
      }
      if (run !== undefined) run.acknowledged = true;
      feed.forget(runId);
      await Promise.resolve();
    },
    runs: (signal) => {
      const list = () => Promise.resolve([...runs.values()].filter((run) => !run.acknowledged).map(viewOf));
      return feed.subscribe(list, AbortSignal.any([signal, life]));
    },
    async *everything(signal) {
      for (const run of [...runs.values()]) {
        signal.throwIfAborted();
        yield await Promise.resolve(viewOf(run));
      }
    },
    health: () => Promise.resolve({ healthy: true, version: "1", message: `${runs.size} runs in memory` }),
    logs: (runId, logOptions, signal) => readLog(cluster, runId, logOptions, clock, signal),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The cursor is the number of the next line. */
async function* readLog(
  cluster: MemoryCluster,
  runId: string,
  { follow, cursor = "0" }: { follow: boolean; cursor?: string },
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<LogPiece> {
  signal.throwIfAborted();
  if (!cluster.runs.has(runId)) {
    throw new Fault("not_found", `Cannot read the log of run ${runId}: there is no such run`);
  }
  if (!/^\d{1,15}$/.test(cursor)) {
    throw new Fault("invalid", `Cannot read the log of run ${runId}: bad cursor`, { path: "cursor" });
  }
  for (let next = Number(cursor);;) {
    signal.throwIfAborted();
    const run = cluster.runs.get(runId);
    if (run === undefined || run.log === "gone") return yield { kind: "end", reason: "gone", cursor: String(next) };
    const isOver = isTerminal(run.state);
    while (next < run.log.count) {
      const lines: string[] = [];
      for (let size = 0; next < run.log.count && size < PIECE_CHARACTERS; next++) {
        const line = run.log.line(next);
        lines.push(line);
        size += line.length + 1;
      }
      yield { kind: "lines", lines, cursor: String(next) };
      signal.throwIfAborted();
    }
    if (isOver) return yield { kind: "end", reason: "finished", cursor: String(next) };
    if (!follow) return yield { kind: "end", reason: "not-following", cursor: String(next) };
    await clock.sleep(20, signal);
  }
}
