/** The snapshots after hello: what exists here, held against what the control plane believes; its answer is carried out. */
import { isFault } from "../fault.ts";
import type { Clock, Engine, Log, Random } from "../ports.ts";
import type { Result, RunStatus, ToControlPlane } from "../protocol/methods.ts";
import type { Commands } from "./commands.ts";
import type { Outbox } from "./outbox.ts";
import type { ServerPeer } from "./session.ts";

export interface SnapshotOptions {
  engine: Engine;
  outbox: Outbox;
  commands: Commands;
  clock: Clock;
  random: Random;
  log: Log;
  /** Resolves when the engine's first list is complete: before that a snapshot would call live runs missing. */
  listed: Promise<void>;
}

/** Tells both snapshots and carries out the decisions. An engine that runs no jobs knows nothing to tell. */
export async function tellSnapshots(
  peer: ServerPeer,
  welcome: Result<ToControlPlane, "runner.hello">,
  options: SnapshotOptions,
  signal: AbortSignal,
): Promise<void> {
  if (options.engine.description.lacks.includes("jobs")) return;
  await waitFor(options.listed, signal);
  await tellRuns(peer, welcome, options, signal);
  await tellPipelines(peer, welcome, options, signal);
}

async function tellRuns(
  peer: ServerPeer,
  { full, limits }: Result<ToControlPlane, "runner.hello">,
  { engine, outbox, commands, clock, random, log }: SnapshotOptions,
  signal: AbortSignal,
): Promise<void> {
  const snapshotId = random.uuid();
  const runs = new Map<string, RunStatus>(outbox.open().map((run) => [run.runId, run]));
  if (full) {
    for await (const run of engine.everything(signal)) {
      if (!runs.has(run.runId)) runs.set(run.runId, { ...run, note: 0 });
    }
  }
  const pages = pagesOf([...runs.values()], limits.snapshotPage);
  let missing: string[] = [];
  for (const [page, content] of pages.entries()) {
    const last = page === pages.length - 1;
    const answer = await peer.request("runs.snapshot", { snapshotId, page, last, runs: content }, { signal });
    missing = answer.missing ?? missing;
    for (const { runId, verdict } of answer.decisions) {
      if (verdict !== "stop") continue;
      const until = new Date(clock.now() + 3_600_000).toISOString();
      commands.stop(runId, until, signal).catch((error) => log("warn", "snapshot.not_stopped", { runId, error }));
    }
  }
  log("info", "snapshot.runs", { count: runs.size });
  if (missing.length === 0) return;
  const absent: string[] = [];
  for (const runId of missing) {
    const run = await engine.find(runId, signal);
    if (run) outbox.retell(run);
    else absent.push(runId);
  }
  log("info", "snapshot.missing", { count: absent.length });
  if (absent.length === 0) return;
  await peer.request("runs.snapshot", { snapshotId, page: pages.length, last: true, runs: [], absent }, { signal });
}

async function tellPipelines(
  peer: ServerPeer,
  { limits }: Result<ToControlPlane, "runner.hello">,
  { engine, commands, random, log }: SnapshotOptions,
  signal: AbortSignal,
): Promise<void> {
  const snapshotId = random.uuid();
  const pipelines = await engine.pipelines(signal);
  const revisions = new Map(pipelines.map((pipeline) => [pipeline.pipelineId, pipeline.revision]));
  const pages = pagesOf(pipelines, limits.snapshotPage);
  for (const [page, content] of pages.entries()) {
    const last = page === pages.length - 1;
    const answer = await peer.request("pipelines.snapshot", { snapshotId, page, last, pipelines: content }, { signal });
    for (const { pipelineId, verdict } of answer.decisions) {
      // `deploy` needs nothing from us: the control plane sends the command. `keep` is keep.
      if (verdict !== "delete") continue;
      commands.remove(pipelineId, (revisions.get(pipelineId) ?? 0) + 1, signal).catch((error) => {
        if (!isFault(error, "not_found")) log("warn", "snapshot.not_deleted", { pipelineId, error });
      });
    }
  }
  log("info", "snapshot.pipelines", { count: pipelines.length });
}

/** At least one page, so that an empty snapshot is told too. */
function pagesOf<T>(items: T[], size: number): T[][] {
  const pages: T[][] = [];
  for (let at = 0; at < items.length; at += size) pages.push(items.slice(at, at + size));
  return pages.length > 0 ? pages : [[]];
}

function waitFor(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
