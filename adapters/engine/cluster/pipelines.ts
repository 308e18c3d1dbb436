/** The verbs on pipelines: deploy, enable, remove, and what is deployed now. */
import { contentDigest } from "../../../mod/digest.ts";
import { Fault, isFault } from "../../../mod/fault.ts";
import type { Job } from "../../../mod/job.ts";
import type { Clock, Engine, Log, PipelineView } from "../../../mod/ports.ts";
import { isTerminal } from "../../../mod/run.ts";
import { parseSchedule } from "../../../mod/schedule.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { ApiObject } from "../../cluster/target.ts";
import { refuseOlder } from "../revisions.ts";
import { type Deployment, type Deployments, inForce } from "./deployments.ts";
import type { Endings } from "./endings.ts";
import { ANNOTATIONS, LABELS, marksOf, pipelineLabels, selectorOf } from "./marks.ts";
import type { Looks } from "./look.ts";
import type { PlanOptions } from "./plans.ts";
import type { Schedules } from "./schedules.ts";
import type { Slots } from "./slots.ts";
import type { Store } from "./store.ts";

/** What the verbs work with. */
export interface PipelinesOptions extends PlanOptions {
  access: ClusterAccess;
  namespace: string;
  deployments: Deployments;
  schedules: Schedules;
  looks: Looks;
  endings: Endings;
  slots: Slots;
  store: Store;
  clock: Clock;
  log: Log;
}

/** The verbs, to be called one after the other per pipeline. */
export interface Pipelines extends Pick<Engine, "deploy" | "enable" | "remove" | "pipelines"> {
  /** Brings every schedule into line with what is in force: after a crash, an upgrade, another engine. */
  settle(signal: AbortSignal): Promise<void>;
  /** Takes away revisions that neither are among the newest two nor carry a live run. */
  prune(pipelineId: string, signal: AbortSignal): Promise<void>;
}

/** How long `remove` waits for the pipeline's runs to end, and how often it looks. */
const REMOVE_MS = 90_000;
const REMOVE_LOOK_MS = 200;
/** The cron controllers mint from a cache: the revision before the newest may still be minted. */
const KEPT = 2;

/** The verbs over one namespace. */
export function createPipelines(options: PipelinesOptions): Pipelines {
  const {
    agentId,
    access,
    namespace,
    dialect,
    pods,
    deployments,
    schedules,
    looks,
    endings,
    slots,
    store,
    clock,
    log,
  } = options;
  const runs = { ...dialect.runs, namespace };

  function viewOf(
    { pipelineId, revision, commandRevision, enabled, definition: { job } }: Deployment,
    schedule?: ApiObject,
  ): PipelineView {
    const parsed = job.schedule === undefined ? undefined : parseSchedule(job.schedule, job.timezone);
    const next = enabled ? parsed?.next(clock.now()) : undefined;
    const last = schedule && dialect.lastSlot(schedule);
    return {
      pipelineId,
      revision: commandRevision,
      deployedRevision: revision,
      name: job.name,
      type: job.type,
      enabled,
      ...job.schedule === undefined ? {} : { schedule: job.schedule, timezone: job.timezone ?? "UTC" },
      ...next === undefined ? {} : { nextRunAt: new Date(next).toISOString() },
      ...last === undefined ? {} : { lastRunAt: last },
    };
  }

  async function deploy(job: Job, signal: AbortSignal): Promise<PipelineView> {
    signal.throwIfAborted();
    const { pipelineId, revision } = job;
    if (job.schedule !== undefined) parseSchedule(job.schedule, job.timezone);
    const prepared = pods.prepare(job);
    const digest = contentDigest(agentId, pipelineId, job);
    const held = inForce(await deployments.list(pipelineId, signal));
    if (held !== undefined && revision <= held.commandRevision) {
      refuseOlder("deploy", pipelineId, revision, held.commandRevision);
      if (held.revision !== revision || held.digest !== digest) {
        const reason = `revision ${revision} has other content here; raise the revision`;
        throw new Fault("conflict", `Cannot deploy pipeline "${pipelineId}": ${reason}`);
      }
    }
    const made = await deployments.create(job, prepared, digest, signal);
    // A repeat must not undo what a toggle of the same revision said; there can be none.
    const next = { ...made, enabled: job.enabled };
    let confirmed: Deployment;
    try {
      await schedules.settle(next, signal);
      confirmed = await deployments.confirm(made, revision, job.enabled, signal);
    } catch (error) {
      // Nothing half-made stays: the revision goes, and the schedule runs what it ran before.
      if (!made.ready && isFault(error) && error.code !== "unavailable") await undo(made, held, signal);
      throw error;
    }
    slots.follow(confirmed);
    await prune(pipelineId, signal).catch((error) => log("warn", "engine.prune", { pipelineId, error }));
    return viewOf(confirmed, await schedules.find(pipelineId, signal));
  }

  async function undo(made: Deployment, held: Deployment | undefined, signal: AbortSignal): Promise<void> {
    try {
      if (held) await schedules.settle(held, signal);
      else await schedules.remove(made.pipelineId, signal);
      await deployments.remove(made, signal);
    } catch (error) {
      log("warn", "engine.undo", { pipelineId: made.pipelineId, error });
    }
  }

  async function enable(pipelineId: string, revision: number, on: boolean, signal: AbortSignal): Promise<PipelineView> {
    signal.throwIfAborted();
    const verb = on ? "enable" : "disable";
    const held = inForce(await deployments.list(pipelineId, signal));
    if (held === undefined) throw new Fault("not_found", `Cannot ${verb} pipeline "${pipelineId}": it is not deployed`);
    refuseOlder(verb, pipelineId, revision, held.commandRevision);
    if (revision === held.commandRevision && held.enabled !== on) {
      const reason = `revision ${revision} says otherwise; raise the revision`;
      throw new Fault("conflict", `Cannot ${verb} pipeline "${pipelineId}": ${reason}`);
    }
    const next = await deployments.confirm(held, revision, on, signal);
    try {
      await schedules.settle(next, signal);
    } catch (error) {
      // What was not done is not on record as done.
      if (isFault(error) && error.code !== "unavailable") {
        await deployments.confirm(held, held.commandRevision, held.enabled, signal)
          .catch((error) => log("warn", "engine.undo", { pipelineId, error }));
      }
      throw error;
    }
    slots.follow(next);
    return viewOf(next, await schedules.find(pipelineId, signal));
  }

  async function remove(pipelineId: string, revision: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const all = await deployments.list(pipelineId, signal);
    const held = inForce(all);
    if (held !== undefined) refuseOlder("remove", pipelineId, revision, held.commandRevision);
    // No new runs first, then the end of those that are, then what they came from.
    slots.unfollow(pipelineId);
    await schedules.remove(pipelineId, signal);
    await endRuns(pipelineId, signal);
    for await (
      const object of access.list(runs, { labelSelector: selectorOf(pipelineLabels(agentId, pipelineId)) }, signal)
    ) {
      await discard(object, signal);
    }
    for (const deployment of all) await deployments.remove(deployment, signal);
  }

  async function endRuns(pipelineId: string, signal: AbortSignal): Promise<void> {
    const labelSelector = selectorOf(pipelineLabels(agentId, pipelineId), { unacknowledged: true });
    for (const until = clock.now() + REMOVE_MS;; await clock.sleep(REMOVE_LOOK_MS, signal)) {
      const live: string[] = [];
      for await (const object of access.list(runs, { labelSelector }, signal)) {
        const entry = store.byName(object.metadata.name);
        if (entry?.final) continue;
        const look = await endings.end(object, { by: "stop", message: "The pipeline was removed" }, signal);
        if (look && !isTerminal(look.standing.state)) live.push(look.facts.marks.runId ?? look.facts.uid);
      }
      if (live.length === 0) return;
      if (clock.now() < until) continue;
      const reason = `its runs do not end: ${live.join(", ")}; try again later`;
      throw new Fault("unavailable", `Cannot remove pipeline "${pipelineId}": ${reason}`);
    }
  }

  /** A run whose end is not acknowledged yet is still to be told: it goes with its acknowledgement. */
  async function discard(object: ApiObject, signal: AbortSignal): Promise<void> {
    const { name, uid } = object.metadata;
    try {
      if (!marksOf(object)?.acknowledged) {
        await access.patch({ ...runs, name }, { metadata: { annotations: { [ANNOTATIONS.removed]: "true" } } }, signal);
        return;
      }
      await access.delete({ ...runs, name }, { propagationPolicy: "Background", preconditions: { uid } }, signal);
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
    }
  }

  async function prune(pipelineId: string, signal: AbortSignal): Promise<void> {
    const all = (await deployments.list(pipelineId, signal)).sort((a, b) => b.revision - a.revision);
    const newest = all.filter(({ ready }) => ready).slice(0, KEPT);
    const oldest = newest.at(-1);
    for (const deployment of all) {
      if (newest.includes(deployment) || oldest === undefined || deployment.revision > oldest.revision) continue;
      if (!await isCarried(deployment, signal)) await deployments.remove(deployment, signal);
    }
  }

  async function isCarried({ pipelineId, revision }: Deployment, signal: AbortSignal): Promise<boolean> {
    const labels = { ...pipelineLabels(agentId, pipelineId), [LABELS.revision]: String(revision) };
    for await (const object of access.list(runs, { labelSelector: selectorOf(labels) }, signal)) {
      const facts = dialect.facts(object);
      if (facts === undefined || facts.phase === "succeeded" || facts.phase === "failed") continue;
      const look = await looks.at(object, signal);
      if (look && !isTerminal(look.standing.state)) return true;
    }
    return false;
  }

  async function pipelines(signal: AbortSignal): Promise<PipelineView[]> {
    signal.throwIfAborted();
    const [all, scheduled] = await Promise.all([deployments.list(undefined, signal), schedules.all(signal)]);
    return byPipeline(all).map((deployment) => viewOf(deployment, scheduled.get(deployment.pipelineId)));
  }

  return {
    deploy,
    enable,
    remove,
    pipelines,
    prune,
    async settle(signal) {
      const [all, scheduled] = await Promise.all([deployments.list(undefined, signal), schedules.all(signal)]);
      for (const deployment of byPipeline(all)) {
        const { pipelineId } = deployment;
        const object = scheduled.get(pipelineId);
        const last = object && (dialect.lastSlot(object) ?? createdOf(object));
        try {
          await schedules.settle(deployment, signal);
          slots.follow(deployment, last === undefined ? clock.now() : Date.parse(last));
        } catch (error) {
          signal.throwIfAborted();
          log("error", "engine.settle", { pipelineId, error });
        }
      }
    },
  };
}

function byPipeline(all: readonly Deployment[]): Deployment[] {
  const groups = Map.groupBy(all, ({ pipelineId }) => pipelineId);
  return [...groups.values()].flatMap((each) => inForce(each) ?? []);
}

function createdOf({ metadata }: ApiObject): string | undefined {
  const at = metadata["creationTimestamp"];
  return typeof at === "string" ? at : undefined;
}
