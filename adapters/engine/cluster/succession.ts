/**
 * One engine after another. While the former engine still holds schedules or runs of ours, its schedules are suspended,
 * its runs are told and finished, and nothing new is begun on either, so that no slot ever runs on both. Deployed
 * revisions belong to neither engine: once the former is empty, the present one makes its own schedules of them.
 */
import { Fault, isFault, reasonOf } from "../../../mod/fault.ts";
import type { Clock, EngineEvent, Log } from "../../../mod/ports.ts";
import type { Run } from "../../../mod/run.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import { startLoop } from "../loop.ts";
import type { Dialect } from "./dialect.ts";
import type { ClusterEngine } from "./engine.ts";
import { ownLabels, selectorOf } from "./marks.ts";
import { merged } from "./merged.ts";

/** What succession works with. */
export interface SuccessionOptions {
  agentId: string;
  access: ClusterAccess;
  namespace: string;
  former: Dialect;
  /** Makes the engine of the former kind, which watches and ends its runs and makes no schedules. */
  makeFormer(): ClusterEngine;
  /** The present engine; it makes no schedules before `begin` is called. */
  present: ClusterEngine;
  begin(): void;
  clock: Clock;
  log: Log;
}

/** What the former engine still holds. */
interface Leftovers {
  schedules: string[];
  runs: string[];
}

/** Before the first look. */
const UNKNOWN: Leftovers = { schedules: [], runs: [] };

const LOOK_MS = 2_000;
const BUSY_SECONDS = 10;

/** The present engine, with the former one beside it for as long as that is needed. */
export function createSuccession(options: SuccessionOptions): ClusterEngine {
  const { agentId, access, namespace, former, present, clock, log } = options;
  const ending = new AbortController();
  const life = ending.signal;
  const own = selectorOf(ownLabels(agentId));
  /** Until the first look nobody knows whether there is anything. */
  let left: Leftovers | undefined = UNKNOWN;
  const known = Promise.withResolvers<ClusterEngine | undefined>();
  let old: ClusterEngine | undefined;
  known.promise.catch(() => {});

  async function namesOf(kind: Dialect["runs"], labelSelector: string): Promise<string[]> {
    const names: string[] = [];
    try {
      const target = { ...kind, namespace };
      for await (const { metadata } of access.list(target, { labelSelector, metadataOnly: true }, life)) {
        names.push(metadata.name);
      }
    } catch (error) {
      // A kind that is not served holds nothing.
      if (isFault(error) && error.details.rule === "not-served") return [];
      throw error;
    }
    return names;
  }

  async function look(): Promise<Leftovers | undefined> {
    try {
      const schedules = await namesOf(former.schedules, own);
      const runs = await namesOf(former.runs, selectorOf(ownLabels(agentId), { unacknowledged: true }));
      return schedules.length + runs.length === 0 ? undefined : { schedules, runs };
    } catch (error) {
      if (!isFault(error, "denied")) throw error;
      log("warn", "engine.succession", { engine: former.engine, reason: `${reasonOf(error)}; taken as empty` });
      return undefined;
    }
  }

  async function round(): Promise<number> {
    left = await look();
    if (left === undefined) {
      known.resolve(undefined);
      options.begin();
      finish();
      return LOOK_MS;
    }
    for (const name of left.schedules) {
      await access.patch({ ...former.schedules, namespace, name }, { spec: { suspend: true } }, life);
    }
    if (old === undefined) {
      const { schedules, runs } = left;
      log("info", "engine.succession", { engine: former.engine, reason: sentence({ schedules, runs }) });
      old = options.makeFormer();
      known.resolve(old);
    }
    if (left.runs.length > 0) return LOOK_MS;
    for (const name of left.schedules) {
      await access.delete({ ...former.schedules, namespace, name }, { propagationPolicy: "Orphan" }, life).catch(
        (error) => {
          if (!isFault(error, "not_found")) throw error;
        },
      );
    }
    return 1;
  }

  const over = Promise.withResolvers<void>();
  function finish(): void {
    over.resolve();
    ending.abort(new Error("the former engine holds nothing any more"));
  }
  const loop = startLoop({ name: "succession", clock, log, life, round });

  function sentence(leftovers: Leftovers): string {
    const { schedules, runs } = leftovers;
    if (leftovers === UNKNOWN) return `what the ${former.engine} engine still holds is not yet known`;
    const named = [...schedules, ...runs].slice(0, 5).join(", ");
    const more = schedules.length + runs.length > 5 ? ", …" : "";
    return `the ${former.engine} engine still holds ${schedules.length} schedules and ${runs.length} runs: ${named}${more}`;
  }

  function refuseWhileBusy(action: string): void {
    if (left === undefined) return;
    const next = left === UNKNOWN ? "try again in a moment" : "they are being finished first";
    throw new Fault("busy", `Cannot ${action}: ${sentence(left)}; ${next}`, {
      retryAfterSeconds: BUSY_SECONDS,
    });
  }

  /** The engine that has this run: the former one where it knows it. */
  async function holderOf(runId: string, signal: AbortSignal): Promise<ClusterEngine> {
    if (old === undefined || left === undefined) return present;
    return await old.find(runId, signal) === undefined ? present : old;
  }

  return {
    description: present.description,
    deploy: async (job, signal) => {
      signal.throwIfAborted();
      refuseWhileBusy(`deploy pipeline "${job.pipelineId}"`);
      return await present.deploy(job, signal);
    },
    enable: async (pipelineId, revision, on, signal) => {
      signal.throwIfAborted();
      refuseWhileBusy(`${on ? "enable" : "disable"} pipeline "${pipelineId}"`);
      return await present.enable(pipelineId, revision, on, signal);
    },
    start: async (request, signal) => {
      signal.throwIfAborted();
      const there = old && left && await old.find(request.runId, signal);
      if (there) return there;
      refuseWhileBusy(`start run ${request.runId}`);
      return await present.start(request, signal);
    },
    async remove(pipelineId, revision, signal) {
      if (old !== undefined && left !== undefined) await old.remove(pipelineId, revision, signal);
      await present.remove(pipelineId, revision, signal);
    },
    pipelines: (signal) => present.pipelines(signal),
    stop: async (runId, signal) => (await holderOf(runId, signal)).stop(runId, signal),
    find: async (runId, signal) => (await holderOf(runId, signal)).find(runId, signal),
    acknowledge: async (runId, signal) => (await holderOf(runId, signal)).acknowledge(runId, signal),
    async *runs(signal): AsyncGenerator<EngineEvent> {
      const first = await known.promise;
      yield* first === undefined ? present.runs(signal) : merged([present, first], over.promise, signal);
    },
    async *everything(signal): AsyncGenerator<Run> {
      if (old !== undefined && left !== undefined) yield* old.everything(signal);
      yield* present.everything(signal);
    },
    async health(signal) {
      const health = await present.health(signal);
      return left === undefined ? health : { ...health, message: `${health.message}; ${sentence(left)}` };
    },
    async *logs(runId, logOptions, signal) {
      yield* (await holderOf(runId, signal)).logs(runId, logOptions, signal);
    },
    async close() {
      ending.abort(new Error("the engine was closed"));
      known.resolve(undefined);
      over.resolve();
      await loop.done;
      await Promise.all([present.close(), old?.close()]);
    },
  };
}
