/** Everything of one runner in the jobs' namespace, as the cluster's administrator sees it. */
import * as z from "zod/mini";
import type { ClusterAccess } from "../../../adapters/cluster/port.ts";
import type { ApiObject } from "../../../adapters/cluster/target.ts";
import { argoDialect } from "../../../adapters/engine/argo/dialect.ts";
import type { Dialect } from "../../../adapters/engine/cluster/dialect.ts";
import { CONTROLLER_REVISIONS, type Kind, PODS, SECRETS } from "../../../adapters/engine/cluster/kinds.ts";
import { marksOf, ownLabels, selectorOf } from "../../../adapters/engine/cluster/marks.ts";
import { kubernetesDialect } from "../../../adapters/engine/kubernetes/dialect.ts";
import type { World } from "../world.ts";

/** The two engines, by what they are called. */
export const DIALECTS: Readonly<Record<Dialect["engine"], Dialect>> = {
  argo: argoDialect,
  kubernetes: kubernetesDialect,
};

/** A run's object with what it says of itself. */
export interface RunObject {
  engine: Dialect["engine"];
  runId: string;
  pipelineId: string;
  revision: number;
  scheduledAt?: string;
  acknowledged: boolean;
  endedBy?: string;
  object: ApiObject;
  /** Its pods, whatever became of them. */
  pods: ApiObject[];
}

/** All kinds, by their resource. */
export interface Objects {
  runs: RunObject[];
  schedules: (ApiObject & { engine: Dialect["engine"] })[];
  revisions: ApiObject[];
  secrets: ApiObject[];
  pods: ApiObject[];
}

const never = new AbortController().signal;
const Owned = z.object({ metadata: z.object({ ownerReferences: z.optional(z.array(z.object({ uid: z.string() }))) }) });

/** The uids of what an object belongs to. */
export function ownersOf(object: ApiObject): string[] {
  return Owned.parse(object).metadata.ownerReferences?.map(({ uid }) => uid) ?? [];
}

/** Lists it all; `engines` are those that the cluster serves. */
export async function listObjects(
  { admin, at }: Pick<World, "admin" | "at">,
  agentId: string,
  engines: readonly Dialect["engine"][],
): Promise<Objects> {
  const labelSelector = selectorOf(ownLabels(agentId));
  const all = (kind: Kind) => listed(admin, at(kind.resource, kind.apiVersion), labelSelector);
  const pods = await all(PODS);
  const runs: RunObject[] = [], schedules: Objects["schedules"] = [];
  for (const engine of engines) {
    const dialect = DIALECTS[engine];
    schedules.push(...(await all(dialect.schedules)).map((object) => ({ ...object, engine })));
    for (const object of await all(dialect.runs)) {
      const marks = marksOf(object), scheduledAt = marks?.scheduledAt ?? dialect.slotOf(object);
      if (marks === undefined) throw new Error(`${object.metadata.name} bears no marks: ${JSON.stringify(object)}`);
      runs.push({
        engine,
        runId: marks.runId ?? object.metadata.uid,
        pipelineId: marks.pipelineId,
        revision: marks.revision,
        acknowledged: marks.acknowledged,
        object,
        pods: pods.filter((pod) => dialect.runOf(pod) === object.metadata.name),
        ...scheduledAt === undefined ? {} : { scheduledAt },
        ...marks.endedBy === undefined ? {} : { endedBy: marks.endedBy },
      });
    }
  }
  return { runs, schedules, pods, revisions: await all(CONTROLLER_REVISIONS), secrets: await all(SECRETS) };
}

async function listed(
  admin: ClusterAccess,
  target: Parameters<ClusterAccess["list"]>[0],
  labelSelector: string,
): Promise<ApiObject[]> {
  return await Array.fromAsync(admin.list(target, { labelSelector }, never));
}
