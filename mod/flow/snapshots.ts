/** The snapshots after hello: what exists here, held against what the control plane believes; its answer is carried out. */
import { isFault } from "../fault.ts";
import type { Clock, Engine, Log, Random } from "../ports.ts";
import { LAST_REVISION } from "../run.ts";
import type { Result, RunStatus, ToControlPlane } from "../protocol/methods.ts";
import type { Peer } from "../protocol/peer.ts";
import { orAbort } from "../waiting.ts";
import type { Commands } from "./commands.ts";
import { fitted, pagesOf } from "./fitting.ts";
import type { Outbox } from "./outbox.ts";

/** The runner's peer: the control plane at the other end. */
export type ServerPeer = Peer<ToControlPlane>;

/** What the snapshots are taken from, and what carries out their decisions. */
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

/** What the protocol's schemas take in one page. */
const MOST_ITEMS = 1000;
const MOST_ABSENT = 10_000;

/** Tells both snapshots and carries out the decisions. An engine that runs no jobs knows nothing to tell. */
export async function tellSnapshots(
  peer: ServerPeer,
  welcome: Result<ToControlPlane, "runner.hello">,
  options: SnapshotOptions,
  signal: AbortSignal,
): Promise<void> {
  if (options.engine.description.lacks.includes("jobs")) return;
  await orAbort(options.listed, signal);
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
  const shown = [...runs.values()].map((run) => fitted(run, limits.frameBytes));
  const pages = pagesOf(shown, Math.min(limits.snapshotPage, MOST_ITEMS), limits.frameBytes);
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
    try {
      const run = await engine.find(runId, signal);
      if (run) outbox.retell(run);
      else absent.push(runId);
    } catch (error) {
      signal.throwIfAborted();
      // What cannot be read is neither there nor absent: it must not keep all others from being told.
      log("error", "snapshot.not_found_out", { runId, error });
    }
  }
  log("info", "snapshot.missing", { count: absent.length });
  if (absent.length === 0) return;
  for (const [at, some] of pagesOf(absent, MOST_ABSENT, limits.frameBytes).entries()) {
    const page = { snapshotId, page: pages.length + at, last: true, runs: [], absent: some };
    await peer.request("runs.snapshot", page, { signal });
  }
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
  const pages = pagesOf(pipelines, Math.min(limits.snapshotPage, MOST_ITEMS), limits.frameBytes);
  for (const [page, content] of pages.entries()) {
    const last = page === pages.length - 1;
    const answer = await peer.request("pipelines.snapshot", { snapshotId, page, last, pipelines: content }, { signal });
    for (const { pipelineId, verdict } of answer.decisions) {
      // `deploy` needs nothing from us: the control plane sends the command. `keep` is keep.
      if (verdict !== "delete") continue;
      commands.remove(pipelineId, Math.min((revisions.get(pipelineId) ?? 0) + 1, LAST_REVISION), signal).catch(
        (error) => {
          if (!isFault(error, "not_found")) log("warn", "snapshot.not_deleted", { pipelineId, error });
        },
      );
    }
  }
  log("info", "snapshot.pipelines", { count: pipelines.length });
}
