/**
 * The engine over a cluster, whichever of the two: it watches, judges and lets go, and carries out the port's verbs. It
 * holds no truth of its own: all of it can be found anew in the cluster.
 */
import { Fault, isFault } from "../../../mod/fault.ts";
import { createKeyed } from "../../../mod/keyed.ts";
import type { Clock, Engine, EngineLogs, Log } from "../../../mod/ports.ts";
import { isTerminal, type Run } from "../../../mod/run.ts";
import { orAbort } from "../../../mod/waiting.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { ApiObject } from "../../cluster/target.ts";
import { createFeed } from "../feed.ts";
import { startLoop } from "../loop.ts";
import type { JobPods } from "../pod/port.ts";
import { createDeployments } from "./deployments.ts";
import type { Dialect } from "./dialect.ts";
import { createEndings } from "./endings.ts";
import { createHealth } from "./health.ts";
import { createJudge } from "./judge.ts";
import { createLooks } from "./look.ts";
import { LABELS, marksOf } from "./marks.ts";
import type { ArgoArchive } from "./logs/archive.ts";
import { withoutLines } from "./logs/filter.ts";
import { readRunLog } from "./logs/read.ts";
import { createPipelines } from "./pipelines.ts";
import { createReleases } from "./releases.ts";
import { listEverything } from "./everything.ts";
import { createSchedules } from "./schedules.ts";
import { createSlots } from "./slots.ts";
import { createStarter } from "./starts.ts";
import { createStore } from "./store.ts";
import { inOrder, standingOf, viewOf } from "./view.ts";
import { startWatches } from "./watches.ts";

/** What the engine is made of. */
export interface ClusterEngineOptions {
  agentId: string;
  access: ClusterAccess;
  /** Where jobs run, and where all that belongs to them lives. */
  namespace: string;
  dialect: Dialect;
  pods: JobPods;
  clock: Clock;
  log: Log;
  random: { float(): number };
  /** How long an ended and acknowledged run's object is kept, seconds. */
  ttlSeconds: number;
  /** How long a run may fail to start, seconds. */
  startDeadlineSeconds: number;
  /** Resolves when schedules may be made; at once if not said. Another engine may still hold some of ours. */
  mayBegin?: Promise<void>;
  /** It is the one that was there before: its runs may be listed, not watched. */
  polls?: boolean;
  /** Where logs are found once their pods are gone. */
  archive?: ArgoArchive;
}

/** The engine, and the way to be rid of it; what it made in the cluster goes on. */
export interface ClusterEngine extends Engine, EngineLogs {
  close(): Promise<void>;
}

/** What waits is looked at again after so long, whatever changes say. */
const RELEASE_MS = 5_000;

/** An engine that begins to watch at once; nothing is asked of the cluster that it could refuse here. */
export function createClusterEngine(options: ClusterEngineOptions): ClusterEngine {
  const { access, namespace, dialect, clock, log, ttlSeconds } = options;
  const ending = new AbortController();
  const life = ending.signal;
  const feed = createFeed();
  const perPipeline = createKeyed();
  const runs = { ...dialect.runs, namespace };

  const store = createStore({
    ...options,
    feed,
    life,
    minted: (facts) => slots.minted(facts),
    ended: ({ facts }) => tidy(facts.marks.pipelineId),
  });
  const base = { ...options, store, life, feed };
  const looks = createLooks(base);
  const endings = createEndings({ ...base, looks });
  const deployments = createDeployments(options);
  const schedules = createSchedules(options);
  const slots = createSlots({ ...base, schedules });
  const pipelines = createPipelines({ ...base, deployments, schedules, looks, endings, slots });
  const start = createStarter({ ...base, deployments, looks, ready: (signal) => watches.ready(signal) });
  const releases = createReleases({ ...base, looks, perPipeline });
  const judge = createJudge({ ...base, looks, endings });
  const watches = startWatches(base);
  const health = createHealth({ ...base, watches });

  /** Revisions that a run kept alive may go with it. */
  const toPrune = new Set<string>();
  const tidy = (pipelineId: string) => void toPrune.add(pipelineId);

  let isSettled = false;
  const loop = (name: string, round: () => Promise<number>) => startLoop({ name, clock, log, life, round });
  const loops = [
    loop("releases", () => (releases.round(), Promise.resolve(RELEASE_MS))),
    loop("judge", async () => (await store.ready(life), await judge.round())),
    loop("schedules", async () => {
      await store.ready(life);
      if (!isSettled) {
        await orAbort(options.mayBegin ?? Promise.resolve(), life);
        await pipelines.settle(life);
        isSettled = true;
      }
      for (const pipelineId of [...toPrune]) {
        toPrune.delete(pipelineId);
        await pipelines.prune(pipelineId, life).catch((error) => log("debug", "engine.prune", { pipelineId, error }));
      }
      return await slots.round();
    }),
  ];
  store.onChange(() => loops[0]?.ring());

  const act = async <T>(action: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    if (life.aborted) throw new Fault("unavailable", `Cannot ${action}: the engine was closed`);
    return await work();
  };
  const perform = <T>(verb: string, pipelineId: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    act(`${verb} pipeline "${pipelineId}"`, signal, () => perPipeline.run([pipelineId], work, signal));
  const viewed = async (object: ApiObject, signal: AbortSignal): Promise<Run> => {
    const run = await looks.view(object, signal);
    if (run) return run;
    throw new Fault("malformed", `Cannot read run ${object.metadata.name}: its marks are damaged`);
  };

  return {
    description: { kind: dialect.engine, version: health.version(), lacks: [] },
    deploy: (job, signal) => perform("deploy", job.pipelineId, signal, () => pipelines.deploy(job, signal)),
    enable: (pipelineId, revision, on, signal) =>
      perform(on ? "enable" : "disable", pipelineId, signal, () => pipelines.enable(pipelineId, revision, on, signal)),
    remove: (pipelineId, revision, signal) =>
      perform("remove", pipelineId, signal, () => pipelines.remove(pipelineId, revision, signal)),
    pipelines: (signal) => act("list the pipelines", signal, () => pipelines.pipelines(signal)),
    start: (request, signal) =>
      perform("start a run of", request.pipelineId, signal, async () => {
        const { object, isNew } = await start(request, signal);
        // What was done is never told as refused: of a new one no further question is asked.
        const facts = isNew ? dialect.facts(object) : undefined;
        return facts ? viewOf(facts, standingOf(facts, [])) : await viewed(object, signal);
      }),
    stop: (runId, signal) =>
      act(`stop run ${runId}`, signal, async () => {
        const object = await looks.byRunId(runId, signal);
        if (object === undefined) throw new Fault("not_found", `Cannot stop run ${runId}: there is no such run`);
        const look = await endings.end(object, { by: "stop", message: "A stop was asked" }, signal);
        return await viewed(look?.object ?? object, signal);
      }),
    find: (runId, signal) =>
      act(`find run ${runId}`, signal, async () => {
        const object = await looks.byRunId(runId, signal);
        return object && await looks.view(object, signal);
      }),
    acknowledge: (runId, signal) => act(`acknowledge run ${runId}`, signal, () => acknowledge(runId, signal)),
    runs: (signal) => {
      const either = AbortSignal.any([signal, life]);
      return feed.subscribe(async () => {
        await store.ready(either);
        return [...store.entries()].flatMap(({ told }) => told ?? []);
      }, either);
    },
    everything: (signal) => listEverything(base, AbortSignal.any([signal, life])),
    health: (signal) => act("look after the engine's health", signal, () => health.look(signal)),
    async *logs(runId, logOptions, signal) {
      signal.throwIfAborted();
      const name = options.archive && (await looks.byRunId(runId, signal))?.metadata.name;
      const archive = name === undefined ? {} : { archive: options.archive?.of(namespace, name) };
      const look = async (signal: AbortSignal) => {
        const object = await looks.byRunId(runId, signal);
        const seen = object && await looks.at(object, signal);
        if (seen === undefined) return undefined;
        const { pods, standing, facts } = seen;
        const told = store.byName(facts.name)?.final;
        const isOver = isTerminal(standing.state);
        // With its pods gone only what was told, or how it ended, says that there was a log.
        const hasEndedByItself = isOver && facts.marks.endedBy === undefined && !facts.shutdown;
        const hasRun = (standing.startedAt ?? told?.times.started) !== undefined ||
          (pods.length === 0 && hasEndedByItself);
        return { pods: inOrder(pods), isOver, hasRun };
      };
      const pieces = readRunLog({ runId, access, namespace, clock, log, look, ...archive }, logOptions, signal);
      yield* withoutLines(pieces, dialect.ownLines());
    },
    async close() {
      if (life.aborted) return;
      ending.abort(new Error("the engine was closed"));
      await Promise.allSettled([watches.done, ...loops.map((each) => each.done), releases.settled(), store.settled()]);
    },
  };

  async function acknowledge(runId: string, signal: AbortSignal): Promise<void> {
    const entry = store.byRunId(runId);
    // What was told as ended needs no look: that is what was acknowledged.
    const object = entry?.final ? undefined : await looks.byRunId(runId, signal);
    const run = object && await looks.view(object, signal);
    if (run !== undefined && !isTerminal(run.state)) {
      throw new Fault("conflict", `Cannot acknowledge run ${runId}: it has not ended`);
    }
    const marks = entry?.final ? entry.facts.marks : object && marksOf(object);
    const { name, uid } = entry?.final ? entry.facts : object?.metadata ?? {};
    try {
      if (name !== undefined && uid !== undefined && !marks?.acknowledged) {
        await mark(name, uid, marks?.removed ?? false, signal);
      }
    } catch (error) {
      // Gone, or another object of that name by now.
      if (!isFault(error, "not_found") && !isFault(error, "conflict")) throw error;
    }
    store.forget(runId);
  }

  /** Of a pipeline that was removed nothing stays behind. */
  async function mark(name: string, uid: string, isRemoved: boolean, signal: AbortSignal): Promise<void> {
    const target = { ...runs, name };
    let removed = isRemoved;
    if (!removed) {
      const metadata = { uid, labels: { [LABELS.acknowledged]: "true" } };
      const answer = await access.patch(target, { ...dialect.timeToLive(ttlSeconds), metadata }, signal);
      removed = marksOf(answer)?.removed ?? false;
    }
    if (removed) await access.delete(target, { propagationPolicy: "Background", preconditions: { uid } }, signal);
  }
}
