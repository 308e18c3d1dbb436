/** A live look at one run: its object and its pods as the API server has them now, no cache. */
import { isFault } from "../../../mod/fault.ts";
import { runName } from "../../../mod/names.ts";
import type { Run } from "../../../mod/run.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { ApiObject } from "../../cluster/target.ts";
import type { Dialect } from "./dialect.ts";
import { evidenceOf, type EvidenceOptions } from "./evidence.ts";
import { type PodFacts, podFacts, type RunFacts } from "./facts.ts";
import { PODS } from "./kinds.ts";
import { LABELS, ownLabels, selectorOf } from "./marks.ts";
import type { Store } from "./store.ts";
import { type Standing, standingOf, viewOf, withNote } from "./view.ts";

/** What a live look saw. */
export interface Look {
  object: ApiObject;
  facts: RunFacts;
  pods: PodFacts[];
  standing: Standing;
}

/** What looking needs. */
export interface LooksOptions extends EvidenceOptions {
  agentId: string;
  access: ClusterAccess;
  namespace: string;
  dialect: Dialect;
  store: Store;
}

/** Looks at single runs. */
export interface Looks {
  /** The object by its name. */
  object(name: string, signal: AbortSignal): Promise<ApiObject | undefined>;
  /** The object of a runId, whoever made it. */
  byRunId(runId: string, signal: AbortSignal): Promise<ApiObject | undefined>;
  /** The object with its pods. */
  at(object: ApiObject, signal: AbortSignal): Promise<Look | undefined>;
  /** The port's view of it; where a final one was told already, that one. */
  view(object: ApiObject, signal: AbortSignal): Promise<Run | undefined>;
}

/** Looks over one namespace. */
export function createLooks(options: LooksOptions): Looks {
  const { agentId, access, namespace, dialect, store } = options;
  const runs = { ...dialect.runs, namespace };

  async function object(name: string, signal: AbortSignal): Promise<ApiObject | undefined> {
    try {
      return await access.get({ ...runs, name }, signal);
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      throw error;
    }
  }

  async function at(object: ApiObject, signal: AbortSignal): Promise<Look | undefined> {
    const facts = dialect.facts(object);
    if (facts === undefined) return undefined;
    const pods: PodFacts[] = [];
    const labelSelector = dialect.podsOf(facts.name);
    for await (const pod of access.list({ ...PODS, namespace }, { labelSelector }, signal)) {
      const read = podFacts(pod);
      if (read) pods.push(read);
    }
    return { object, facts, pods, standing: standingOf(facts, pods) };
  }

  return {
    object,
    at,
    async byRunId(runId, signal) {
      const known = store.byRunId(runId)?.facts.name;
      const named = await object(known ?? runName(agentId, runId), signal);
      if (named !== undefined || known !== undefined) return named;
      // A run that a schedule minted is known by its uid alone, and this one is not among the unacknowledged.
      const labelSelector = selectorOf({ ...ownLabels(agentId), [LABELS.origin]: "schedule" });
      for await (const { metadata } of access.list(runs, { labelSelector, metadataOnly: true }, signal)) {
        if (metadata.uid === runId) return await object(metadata.name, signal);
      }
      return undefined;
    },
    async view(object, signal) {
      const entry = store.byName(object.metadata.name);
      if (entry?.final && entry.facts.uid === object.metadata.uid) return entry.final;
      const look = await at(object, signal);
      if (look === undefined) return undefined;
      const { facts, standing } = look;
      const evidence = standing.state === "failed" ? await evidenceOf(facts, standing, options, signal) : {};
      // Made while we looked: the one that was told is the one that counts.
      return entry?.final ?? viewOf(facts, withNote(standing, entry?.trouble), evidence);
    },
  };
}
