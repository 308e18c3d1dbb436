/**
 * The garbage collector: what is owned goes with its owners, as the deletion asked
 * (https://kubernetes.io/docs/concepts/architecture/garbage-collection/).
 */
import type { Stored } from "../api_objects.ts";
import { type Change, collectionName } from "../api_store.ts";
import { createWrites } from "../api_writes.ts";
import type { Workshop } from "./workshop.ts";

const DELAY_MS = 20;
const FOREGROUND = "foregroundDeletion";

export function startGarbageCollector(shop: Workshop): void {
  const { store } = shop;
  const writes = createWrites(store, shop.clock.now);
  const keys = new Map<string, string>();
  const dependents = new Map<string, Set<string>>();

  const placeOf = (key: string) => {
    const collection = collectionName(key);
    return { collection, resource: collection.slice(collection.lastIndexOf("/") + 1) };
  };
  const edit = (key: string, name: string, change: (metadata: Stored["metadata"]) => Partial<Stored["metadata"]>) =>
    writes.update(
      placeOf(key),
      name,
      (object) => ({ ...object, metadata: { ...object.metadata, ...change(object.metadata) } }),
      "all",
    );

  const { enqueue } = shop.controller({ delayMs: DELAY_MS, names: notice, reconcile: look });

  /** Keeps the indexes, and tells whom the change concerns. */
  function notice({ key, before, after }: Change): string[] {
    for (const owner of before?.metadata.ownerReferences ?? []) dependents.get(owner.uid)?.delete(key);
    for (const owner of after?.metadata.ownerReferences ?? []) {
      const known = dependents.get(owner.uid) ?? new Set();
      dependents.set(owner.uid, known.add(key));
    }
    if (after !== undefined) {
      keys.set(after.metadata.uid, key);
      return before === undefined || after.metadata.deletionTimestamp !== undefined ? [key] : [];
    }
    if (before === undefined) return [];
    keys.delete(before.metadata.uid);
    // Its dependents have lost an owner, its owners perhaps the last one that they waited for.
    const owners = (before.metadata.ownerReferences ?? []).flatMap(({ uid }) => keys.get(uid) ?? []);
    return [...dependents.get(before.metadata.uid) ?? [], ...owners];
  }

  function look(key: string): void {
    const object = store.get(key);
    if (object?.metadata.deletionTimestamp === undefined) return collect(key);
    const { name, uid, finalizers = [] } = object.metadata;
    const without = (finalizer: string) =>
      void edit(key, name, () => ({ finalizers: finalizers.filter((each) => each !== finalizer) }));
    const owned = [...dependents.get(uid) ?? []];
    if (finalizers.includes("orphan")) {
      for (const dependent of owned) disown(dependent, (owner) => owner !== uid);
      return without("orphan");
    }
    if (!finalizers.includes(FOREGROUND)) return;
    for (const dependent of owned) collect(dependent);
    const isBlocking = (dependent: string) =>
      store.get(dependent)?.metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.blockOwnerDeletion);
    if (![...dependents.get(uid) ?? []].some(isBlocking)) without(FOREGROUND);
  }

  /** Takes an object away whose owners are all gone, or wait to see it gone. */
  function collect(key: string): void {
    const metadata = store.get(key)?.metadata;
    const owners = metadata?.ownerReferences ?? [];
    if (metadata === undefined || owners.length === 0 || metadata.deletionTimestamp !== undefined) return;
    const isHolding = ({ uid }: { uid: string }) => {
      const owner = store.get(keys.get(uid) ?? "");
      return owner !== undefined && !owner.metadata.finalizers?.includes(FOREGROUND);
    };
    if (!owners.some(isHolding)) writes.remove(placeOf(key), metadata.name, { propagationPolicy: "Background" });
    else if (owners.some(({ uid }) => !keys.has(uid))) disown(key, (uid) => keys.has(uid));
  }

  function disown(key: string, isKept: (uid: string) => boolean): void {
    const name = store.get(key)?.metadata.name;
    if (name === undefined) return;
    edit(
      key,
      name,
      ({ ownerReferences = [] }) => ({ ownerReferences: ownerReferences.filter(({ uid }) => isKept(uid)) }),
    );
  }

  // Objects that were there before it.
  for (const [key, after] of store.all()) notice({ rv: 0, key, after }).forEach(enqueue);
}
