/** The port's verbs over the folder. */
import { contentDigest } from "../../../mod/digest.ts";
import { Fault, isFault } from "../../../mod/fault.ts";
import type { Keyed } from "../../../mod/keyed.ts";
import { runName } from "../../../mod/names.ts";
import type { Clock, Engine, EngineLogs, StartRequest } from "../../../mod/ports.ts";
import { isTerminal, type Run } from "../../../mod/run.ts";
import { orAbort } from "../../../mod/waiting.ts";
import type { Feed } from "../feed.ts";
import { deployed, type PipelineStore, refuseOlder, toggled, viewOfPipeline } from "../revisions.ts";
import { type RunLook, viewOfRun } from "./files.ts";
import { guarded } from "./guard.ts";
import { readLog } from "./logs.ts";
import type { RunFolder } from "./runs.ts";
import type { Supervisor } from "./supervisor.ts";

/** What the verbs work with. */
export interface VerbsOptions {
  /** Whose runs and pipelines these are. */
  agentId: string;
  /** The folder of runs. */
  runs: RunFolder;
  /** Where the pipelines are kept. */
  pipelines: PipelineStore;
  /** The eye on the runs. */
  supervisor: Supervisor;
  /** Hands what is new to the readers. */
  feed: Feed;
  /** One command at a time per pipeline. */
  perPipeline: Keyed;
  /** Tells the time, and waits. */
  clock: Clock;
  /** Ends with the engine. */
  life: AbortSignal;
  /** Creates the run, or finds it. */
  start(request: StartRequest): Promise<RunLook>;
  /** Slots may have moved. */
  rescheduled(): void;
  /** What the loops met with last. */
  trouble(): string | undefined;
}

/** How long `remove` waits for the pipeline's runs to end. */
const REMOVE_MS = 60_000;
const REMOVE_LOOK_MS = 100;

/** Builds the verbs; every one refuses with `unavailable` after the engine was closed. */
export function createVerbs(options: VerbsOptions): Engine & EngineLogs {
  const { agentId, runs, pipelines, supervisor, feed, perPipeline, clock, life } = options;
  const nameOf = (runId: string) => runName(agentId, runId);
  const view = (look: RunLook): Run => viewOfRun(look, supervisor.waiting(look.name));

  const act = <T>(action: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    guarded(action, async () => {
      signal.throwIfAborted();
      if (life.aborted) throw new Fault("unavailable", `Cannot ${action}: the engine was closed`);
      return await work();
    }, signal);
  const perform = <T>(verb: string, pipelineId: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    act(`${verb} pipeline "${pipelineId}"`, signal, () => perPipeline.run([pipelineId], work, signal));

  const endRuns = async (pipelineId: string, signal: AbortSignal): Promise<void> => {
    for (const until = clock.now() + REMOVE_MS;; await clock.sleep(REMOVE_LOOK_MS, signal)) {
      await supervisor.scan(signal);
      const live = supervisor.current().filter((run) => run.pipelineId === pipelineId && !isTerminal(run.state));
      if (live.length === 0) return;
      for (const run of live) await runs.endBy(nameOf(run.runId), "stop").catch(() => {});
      if (clock.now() < until) continue;
      const ids = live.map((run) => run.runId).join(", ");
      throw new Fault("unavailable", `Cannot remove pipeline "${pipelineId}": its runs do not end: ${ids}`);
    }
  };

  return {
    description: { kind: "local", version: Deno.version.deno, lacks: ["schedules-while-away", "diagnose"] },

    deploy: (job, signal) =>
      perform("deploy", job.pipelineId, signal, async () => {
        const held = await pipelines.read(job.pipelineId);
        const digest = contentDigest(agentId, job.pipelineId, job);
        const next = deployed(held, job, digest, clock.now());
        if (next !== held) await pipelines.save(next);
        options.rescheduled();
        return viewOfPipeline(next, clock.now());
      }),

    enable: (pipelineId, revision, on, signal) =>
      perform(on ? "enable" : "disable", pipelineId, signal, async () => {
        const held = await pipelines.read(pipelineId);
        const next = toggled(held, pipelineId, revision, on, clock.now());
        if (next !== held) await pipelines.save(next);
        options.rescheduled();
        return viewOfPipeline(next, clock.now());
      }),

    remove: (pipelineId, revision, signal) =>
      perform("remove", pipelineId, signal, async () => {
        const held = await pipelines.read(pipelineId);
        if (held !== undefined) refuseOlder("remove", pipelineId, revision, held.revision);
        await endRuns(pipelineId, signal);
        // Last, so that a removal that was cut short is still there to be repeated.
        await pipelines.remove(pipelineId);
      }),

    pipelines: (signal) =>
      act("list the pipelines", signal, async () => {
        const held = await pipelines.all();
        return held.map((pipeline) => viewOfPipeline(pipeline, clock.now()));
      }),

    start: (request, signal) =>
      act(`start run ${request.runId}`, signal, async () => {
        const look = await perPipeline.run([request.pipelineId], () => options.start(request), signal);
        return view(look);
      }),

    stop: (runId, signal) =>
      act(`stop run ${runId}`, signal, async () => {
        const name = nameOf(runId);
        const look = await runs.look(name);
        if (look?.ended !== undefined) return view(look);
        if (look !== undefined) {
          await runs.endBy(name, "stop");
          // A run that waits is ended by this; one that runs is ended by its wrapper, soon.
          await supervisor.scan(signal);
        }
        const now = await runs.look(name);
        if (now !== undefined) return view(now);
        throw new Fault("not_found", `Cannot stop run ${runId}: there is no such run`);
      }),

    find: (runId, signal) =>
      act(`find run ${runId}`, signal, async () => {
        const look = await runs.look(nameOf(runId));
        return look && view(look);
      }),

    acknowledge: (runId, signal) =>
      act(`acknowledge run ${runId}`, signal, async () => {
        const name = nameOf(runId);
        const look = await runs.look(name);
        if (look === undefined || look.acknowledged) return;
        if (look.ended === undefined) {
          throw new Fault("conflict", `Cannot acknowledge run ${runId}: it has not ended`);
        }
        await runs.acknowledge(name);
        supervisor.acknowledged(name);
      }),

    runs: (signal) =>
      feed.subscribe(async () => {
        // A disk that cannot be read for a while delays the list; it does not end the watch.
        while (true) {
          try {
            await supervisor.scan(signal);
            return supervisor.current();
          } catch (error) {
            if (signal.aborted || life.aborted) throw error;
            await clock.sleep(1000, signal);
          }
        }
      }, AbortSignal.any([signal, life])),

    async *everything(signal) {
      for (const name of await act("list the runs", signal, () => runs.names())) {
        const look = await act("list the runs", signal, () => runs.look(name)).catch((error) => {
          // One that cannot be read must not hide the others; `find` says what is wrong with it.
          if (isFault(error, "malformed")) return undefined;
          throw error;
        });
        if (look !== undefined) yield view(look);
      }
    },

    health: (signal) =>
      act("look after the engine's health", signal, async () => {
        await orAbort(supervisor.scan(signal), signal).catch((error) => {
          if (signal.aborted) throw error;
        });
        const trouble = options.trouble();
        const message = trouble ?? `${supervisor.current().length} runs live or not acknowledged`;
        return { healthy: trouble === undefined, version: Deno.version.deno, message };
      }),

    async *logs(runId, logOptions, signal) {
      const name = nameOf(runId);
      const look = () => act(`read the log of run ${runId}`, signal, () => runs.look(name));
      yield* readLog({ runId, path: `${runs.path}/${name}/log`, look, clock }, logOptions, signal);
    },
  };
}
