/** One term of an active session: what its snapshots have shown so far, and the lanes through which it gets commands. */
import { Fault } from "../../mod/fault.ts";
import type { Params, Result, ToControlPlane } from "../../mod/protocol/methods.ts";
import { createCommands, lanesOf } from "./commands.ts";
import { type Core, instant } from "./core.ts";
import { createLanes, type Lane } from "./lanes.ts";
import type { Pipelines } from "./pipelines.ts";
import type { Session } from "./runners.ts";
import type { Runs } from "./runs.ts";

/** From a hello as active to the next hello, or to the link's end. */
export interface Term {
  /** The snapshot must show everything that exists, acknowledged runs too. */
  readonly full: boolean;
  runsPage(page: Params<ToControlPlane, "runs.snapshot">): Promise<Result<ToControlPlane, "runs.snapshot">>;
  pipelinesPage(
    page: Params<ToControlPlane, "pipelines.snapshot">,
  ): Promise<Result<ToControlPlane, "pipelines.snapshot">>;
  /** There is something to send in this lane. Before the snapshots are complete nothing is sent. */
  wake(lane: Lane): void;
  /** Resolves once the snapshots are complete; rejects when the term ends before. */
  readonly opened: Promise<void>;
  end(): void;
}

/** A runner that tells no snapshots gets its commands after this long nevertheless. */
const SNAPSHOTS_WAIT_MS = 10_000;

/** Begins a term. `lastRun` is the point in the order of runs up to which the snapshot judges. */
export function beginTerm(
  { core, runs, pipelines, session, lastRun, full }: {
    core: Core;
    runs: Runs;
    pipelines: Pipelines;
    session: Session;
    lastRun: number;
    full: boolean;
  },
): Term {
  const { storage, clock, log } = core;
  const { agentId, hello: { instanceId } } = session;
  const over = new AbortController();
  const step = createCommands({ core, runs, pipelines, session });
  const lanes = createLanes({ step, clock, log, signal: over.signal });
  const shownRuns = createShown(), shownPipelines = createShown();
  const waitsFor = new Set(["runs", "pipelines"]);
  const opened = Promise.withResolvers<void>();
  opened.promise.catch(() => {});
  /** Runs that this term has asked for: only of those it hears that they are absent. */
  const askedFor = new Set<string>();
  let isOpen = false;
  // A runner without an engine has nothing to show, and says so to each command.
  if (session.hello.engine.lacks.includes("jobs")) void open();
  else clock.sleep(SNAPSHOTS_WAIT_MS, over.signal).then(open, () => {});

  return {
    full,
    runsPage,
    pipelinesPage,
    wake: (lane) => isOpen && lanes.wake(lane),
    opened: opened.promise,
    end() {
      const lost = new Fault("unavailable", `Cannot go on: the link of ${agentId} was lost; try again`);
      over.abort(lost);
      opened.reject(lost);
    },
  };

  async function runsPage(page: Params<ToControlPlane, "runs.snapshot">) {
    // A page that tells what was looked for in vain tells nothing else.
    if (page.absent !== undefined) {
      await runs.absent(agentId, page.absent.filter((runId) => askedFor.delete(runId)));
      return { decisions: [] };
    }
    shownRuns.add(page.snapshotId, page.runs.map((run) => run.runId));
    const decisions = await runs.adopt(agentId, page.runs);
    if (!page.last) return { decisions };
    const missing = await runs.missing(agentId, lastRun, shownRuns.take());
    for (const runId of missing) askedFor.add(runId);
    if (full) await fullyShown();
    passed("runs");
    return missing.length > 0 ? { decisions, missing } : { decisions };
  }

  async function pipelinesPage(page: Params<ToControlPlane, "pipelines.snapshot">) {
    shownPipelines.add(page.snapshotId, page.pipelines.map((pipeline) => pipeline.pipelineId));
    const decisions = await pipelines.adopt(agentId, page.pipelines);
    if (page.last) {
      decisions.push(...await pipelines.missing(agentId, shownPipelines.take()));
      passed("pipelines");
    }
    return { decisions };
  }

  async function fullyShown(): Promise<void> {
    await storage.write(async (tx) => {
      const record = await tx.runner(agentId);
      if (record !== undefined) await tx.putRunner({ ...record, fullSnapshotAt: instant(clock) });
    });
  }

  function passed(snapshot: string): void {
    waitsFor.delete(snapshot);
    if (waitsFor.size === 0) void open();
  }

  async function open(): Promise<void> {
    // What is asked for from here on wakes its lane itself; what was asked for before is on record.
    isOpen = true;
    opened.resolve();
    try {
      // After the answer that is under way: the runner carries out its decisions first.
      await clock.sleep(0, over.signal);
      for (const lane of await lanesOf(core, agentId)) lanes.wake(lane);
    } catch (error) {
      if (over.signal.aborted) return;
      log("error", "term.not_opened", { agentId, instanceId, error });
      session.connection.abandon("what is on record for the runner could not be read");
    }
  }
}

/** What the pages of one snapshot have shown; a new snapshot begins anew. */
function createShown(): { add(snapshotId: string, ids: string[]): void; take(): Set<string> } {
  let current = "", shown = new Set<string>();
  return {
    add(snapshotId, ids) {
      if (snapshotId !== current) shown = new Set();
      current = snapshotId;
      for (const id of ids) shown.add(id);
    },
    take() {
      const all = shown;
      shown = new Set();
      return all;
    },
  };
}
