/** Every write to the fake cluster's objects, whether it comes over the wire or from a controller in this process. */
import { admitted, wrongName } from "./api_admission.ts";
import { isRecord, type Stored, timeText } from "./api_objects.ts";
import { invalid, notFound, Refusal } from "./api_status.ts";
import type { ObjectStore } from "./api_store.ts";

/** What is deleted, and how: the API's DeleteOptions. */
export interface DeleteWay {
  propagationPolicy?: string;
  gracePeriodSeconds?: number;
  preconditions?: { uid?: string; resourceVersion?: string };
}

/** Where a write goes. */
export interface Place {
  collection: string;
  resource: string;
  namespace?: string;
}

/** The writes of one store; `now` in milliseconds since the epoch. All throw Refusals. */
export interface Writes {
  create(place: Place, body: Record<string, unknown>): Stored;
  /** Stores what `change` makes of the object; with `status` only its status, else all but the status. */
  update(place: Place, name: string, change: (object: Stored) => Stored, part?: "status" | "all"): Stored;
  /** The object as it still is, or undefined if it is gone. */
  remove(place: Place, name: string, way?: DeleteWay): Stored | undefined;
}

/** Kinds whose status is a resource of its own: nobody but controllers writes it. */
const OWN_STATUS = new Set(["pods", "jobs", "cronjobs"]);
/** Deleted without a word about their dependents, these leave them behind (for the sake of very old clients). */
const ORPHANING = new Set(["jobs"]);

export function createWrites(store: ObjectStore, now: () => number): Writes {
  return {
    create({ collection, resource, namespace }, body) {
      const metadata = isRecord(body["metadata"]) ? body["metadata"] : {};
      const name = String(metadata["name"]);
      const wrong = wrongName(metadata["name"]);
      if (wrong) throw invalid(resource, name, "metadata.name", wrong);
      const key = `${collection}/${name}`;
      if (store.get(key)) throw new Refusal(409, "AlreadyExists", `${resource} "${name}" already exists`);
      const given = { uid: crypto.randomUUID(), creationTimestamp: timeText(now()), resourceVersion: "" };
      const where = namespace === undefined ? {} : { namespace };
      return store.commit(key, admitted(resource, { ...body, metadata: { ...metadata, name, ...where, ...given } }));
    },
    update({ collection, resource }, name, change, part) {
      const key = `${collection}/${name}`;
      const before = store.get(key);
      if (!before) throw notFound(resource, name);
      let after = change(before);
      if (part === "status") after = { ...before, status: after["status"] };
      else if (part !== "all" && OWN_STATUS.has(resource)) after = { ...after, status: before["status"] };
      const { name: _, uid, creationTimestamp, deletionTimestamp } = before.metadata;
      const kept = { name, uid, creationTimestamp, ...deletionTimestamp === undefined ? {} : { deletionTimestamp } };
      after = { ...after, metadata: { ...after.metadata, ...kept } };
      if (part === undefined) after = admitted(resource, after, before);
      const over = deletionTimestamp !== undefined && !after.metadata.finalizers?.length && resource !== "pods";
      return store.commit(key, over ? undefined : after);
    },
    remove({ collection, resource }, name, { propagationPolicy, gracePeriodSeconds, preconditions = {} } = {}) {
      const key = `${collection}/${name}`;
      const before = store.get(key);
      if (!before) throw notFound(resource, name);
      const { metadata } = before;
      if (preconditions.uid !== undefined && preconditions.uid !== metadata.uid) {
        throw new Refusal(409, "Conflict", "Precondition failed: the UID in the precondition is another");
      }
      const version = preconditions.resourceVersion;
      if (version !== undefined && version !== metadata.resourceVersion) {
        throw new Refusal(409, "Conflict", "Precondition failed: the ResourceVersion in the precondition is another");
      }
      const policy = propagationPolicy ?? (ORPHANING.has(resource) ? "Orphan" : "Background");
      const added = { Foreground: ["foregroundDeletion"], Orphan: ["orphan"] }[policy] ?? [];
      const finalizers = [...new Set([...metadata.finalizers ?? [], ...added])];
      const grace = resource === "pods" ? graceOf(before, gracePeriodSeconds) : 0;
      if (finalizers.length === 0 && grace === 0) return void store.commit(key, undefined);
      const deletionTimestamp = metadata.deletionTimestamp ?? timeText(now() + grace * 1000);
      const deletion = { deletionTimestamp, deletionGracePeriodSeconds: grace };
      const more = finalizers.length > 0 ? { finalizers } : {};
      return store.commit(key, { ...before, metadata: { ...metadata, ...deletion, ...more } });
    },
  };
}

/** Seconds that a pod has to end; none where it runs nowhere. */
function graceOf(pod: Stored, asked: number | undefined): number {
  const { spec, status } = pod;
  const phase = isRecord(status) ? status["phase"] : undefined;
  if (!isRecord(spec) || spec["nodeName"] === undefined || phase === "Succeeded" || phase === "Failed") return 0;
  return asked ?? Number(spec["terminationGracePeriodSeconds"] ?? 30);
}
