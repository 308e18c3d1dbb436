/** A pipeline's schedule object, brought into line with the revision in force. */
import * as z from "zod/mini";
import { isFault } from "../../../mod/fault.ts";
import { pipelineName } from "../../../mod/names.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { ApiObject } from "../../cluster/target.ts";
import type { Deployment } from "./deployments.ts";
import type { Manifest } from "./manifest.ts";
import { ANNOTATIONS, marksOf, ownLabels, selectorOf } from "./marks.ts";
import { type PlanOptions, scheduleManifest } from "./plans.ts";

/** The schedules of one runner. */
export interface Schedules {
  /** Makes, changes or takes away the object so that it is what the revision wants; as it stood before our writes. */
  settle(deployment: Deployment, signal: AbortSignal): Promise<void>;
  /** Takes the pipeline's schedule away; what it minted stays. */
  remove(pipelineId: string, signal: AbortSignal): Promise<void>;
  /** The object of a pipeline. */
  find(pipelineId: string, signal: AbortSignal): Promise<ApiObject | undefined>;
  /** Every one of ours, by pipeline id. */
  all(signal: AbortSignal): Promise<Map<string, ApiObject>>;
}

const Spec = z.object({ spec: z.record(z.string(), z.unknown()) });

/** Schedules in one namespace. */
export function createSchedules(options: PlanOptions & { access: ClusterAccess; namespace: string }): Schedules {
  const { agentId, access, namespace, dialect } = options;
  const collection = { ...dialect.schedules, namespace };

  async function find(pipelineId: string, signal: AbortSignal): Promise<ApiObject | undefined> {
    try {
      return await access.get({ ...collection, name: pipelineName(agentId, pipelineId) }, signal);
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      throw error;
    }
  }

  async function remove(pipelineId: string, signal: AbortSignal): Promise<void> {
    const target = { ...collection, name: pipelineName(agentId, pipelineId) };
    try {
      // Live and untold runs are its children: they stay.
      await access.delete(target, { propagationPolicy: "Orphan" }, signal);
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
    }
  }

  /** The spec as a whole: what is no longer wanted must not stay, which a merge would let it. */
  async function replace(there: ApiObject, wanted: Manifest, signal: AbortSignal): Promise<void> {
    const { name, resourceVersion, annotations, labels } = there.metadata;
    await access.patch({ ...collection, name }, [
      // The API server takes it for a precondition: a conflict where somebody wrote meanwhile.
      { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
      { op: "add", path: "/metadata/annotations", value: { ...annotations, ...wanted.metadata.annotations } },
      { op: "add", path: "/metadata/labels", value: { ...labels, ...wanted.metadata.labels } },
      { op: "replace", path: "/spec", value: Spec.parse(wanted).spec },
    ], signal);
  }

  return {
    find,
    remove,
    async settle(deployment, signal) {
      const wanted = scheduleManifest(deployment, options);
      if (wanted === undefined) {
        if (await find(deployment.pipelineId, signal)) await remove(deployment.pipelineId, signal);
        return;
      }
      for (let tries = 1;; tries++) {
        const there = await find(deployment.pipelineId, signal);
        try {
          if (there === undefined) await access.create(collection, wanted, signal);
          else if (!isSame(there, wanted)) await replace(there, wanted, signal);
          return;
        } catch (error) {
          // Its controller writes to it as well: look again.
          if (!isFault(error, "conflict") && !isFault(error, "not_found") || tries === 5) throw error;
        }
      }
    },
    async all(signal) {
      const found = new Map<string, ApiObject>();
      for await (const object of access.list(collection, { labelSelector: selectorOf(ownLabels(agentId)) }, signal)) {
        const marks = marksOf(object);
        if (marks) found.set(marks.pipelineId, object);
      }
      return found;
    },
  };
}

function isSame(there: ApiObject, { metadata, spec }: Manifest): boolean {
  const digest = ANNOTATIONS.renderedDigest;
  if (there.metadata.annotations?.[digest] !== metadata.annotations[digest]) return false;
  // What others may flip by hand, such as a suspension, is brought back too.
  const suspended = (value: unknown) => z.object({ suspend: z.optional(z.boolean()) }).safeParse(value).data?.suspend;
  return (suspended(there.spec) ?? false) === (suspended(spec) ?? false);
}
