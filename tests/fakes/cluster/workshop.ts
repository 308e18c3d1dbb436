/** What every controller of the fake cluster works with: typed collections, timers that end with it, a work queue. */
import type { Kind } from "../../../adapters/engine/cluster/kinds.ts";
import { EVENTS } from "../../../adapters/engine/cluster/kinds.ts";
import type { Clock } from "../../../mod/ports.ts";
import { type Stored, timeText } from "../api_objects.ts";
import { same } from "../api_patches.ts";
import { collectionOf } from "../api_path.ts";
import { type Change, collectionName, type ObjectStore } from "../api_store.ts";
import { createWrites, type DeleteWay } from "../api_writes.ts";

/** Objects of one kind in the cluster's namespace. */
export interface Collection<T extends Stored> {
  readonly kind: Kind;
  get(name: string): T | undefined;
  /** In the order of their creation. */
  all(): T[];
  create(body: Record<string, unknown>): void;
  /** Changes a copy, status included; nothing happens where the object is gone or stays the same. */
  update(name: string, change: (draft: T) => void): void;
  remove(name: string, way?: DeleteWay): void;
  /** Takes it away at once, whatever holds it. */
  drop(name: string): void;
  /** The object that the change is about, as it is or was; undefined for one of another collection. */
  in(change: Change): T | undefined;
}

export interface Event {
  reason: string;
  message: string;
  type?: "Normal" | "Warning";
  component: string;
}

export interface Workshop {
  readonly store: ObjectStore;
  readonly namespace: string;
  /** Schedules follow it, and times are told by it; what takes time takes real time. */
  readonly clock: Clock;
  readonly life: AbortSignal;
  /** RFC 3339 in whole seconds. */
  now(): string;
  of<T extends Stored>(kind: Kind): Collection<T>;
  /** Runs it after so many real milliseconds, unless the cluster ends before; answers how to forget it. */
  after(ms: number, work: () => void): () => void;
  /** Runs it in the background. */
  spawn(work: () => Promise<void>): void;
  /** Rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  event(about: Stored & { kind?: string }, event: Event): void;
  /** Calls `reconcile` once for all changes that `names` finds of interest, a little after them. */
  controller(options: ControllerOptions): { enqueue(name: string): void };
  /** Resolves when no controller has anything to look at. */
  settled(): Promise<void>;
  /** Waits for the end of everything; rejects with what went wrong. */
  close(): Promise<void>;
}

export interface ControllerOptions {
  /** How long after a change it acts, milliseconds. */
  delayMs: number;
  /** Names of the objects to look at because of this change. */
  names(change: Change): string[];
  reconcile(name: string): void;
}

/** Longer waits than this are for ever, in a test. */
const LONGEST_MS = 600_000;

export function createWorkshop(store: ObjectStore, namespace: string, clock: Clock): Workshop {
  const ending = new AbortController();
  const life = ending.signal;
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const tasks = new Set<Promise<void>>();
  const queues: Map<string, () => void>[] = [];
  const errors: unknown[] = [];
  const unlisten: (() => void)[] = [];
  const writes = createWrites(store, clock.now);

  const guarded = (work: () => void) => {
    try {
      if (!life.aborted) work();
    } catch (error) {
      errors.push(error);
    }
  };

  const after = (ms: number, work: () => void): () => void => {
    if (ms > LONGEST_MS || life.aborted) return () => {};
    const timer = setTimeout(() => {
      timers.delete(timer);
      guarded(work);
    }, Math.max(0, ms));
    timers.add(timer);
    return () => {
      clearTimeout(timer);
      timers.delete(timer);
    };
  };

  const shop: Workshop = {
    ...{ store, namespace, clock, life, after },
    now: () => timeText(clock.now()),
    of<T extends Stored>(kind: Kind): Collection<T> {
      const collection = collectionOf(kind.apiVersion, namespace, kind.resource);
      const place = { collection, resource: kind.resource, namespace };
      const get = (name: string) => store.get(`${collection}/${name}`) as T | undefined;
      return {
        kind,
        get,
        all: () => store.under(collection).map(([, object]) => object as T),
        create: (body) => void writes.create(place, { apiVersion: kind.apiVersion, kind: kind.kind, ...body }),
        update(name, change) {
          const before = get(name);
          if (before === undefined) return;
          const draft = structuredClone(before);
          change(draft);
          if (!same(before, draft)) writes.update(place, name, () => draft, "all");
        },
        remove: (name, way) => get(name) && void writes.remove(place, name, way),
        drop: (name) => get(name) && void store.commit(`${collection}/${name}`, undefined),
        in: ({ key, before, after }) => collectionName(key) === collection ? (after ?? before) as T : undefined,
      };
    },
    spawn(work) {
      const task = work()
        .catch((error) => life.aborted || errors.push(error))
        .then(() => void tasks.delete(task));
      tasks.add(task);
    },
    sleep: (ms, signal = life) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const abort = () => (forget(), reject(signal.reason));
        signal.addEventListener("abort", abort, { once: true });
        const forget = after(ms, () => {
          signal.removeEventListener("abort", abort);
          resolve();
        });
      }),
    event({ apiVersion, kind, metadata: { name, uid } }, { reason, message, type = "Warning", component }) {
      const now = shop.now();
      shop.of(EVENTS).create({
        metadata: { name: `${name}.${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}` },
        involvedObject: { apiVersion, kind, name, namespace, uid },
        ...{ reason, message, type, count: 1, firstTimestamp: now, lastTimestamp: now, eventTime: null },
        ...{ source: { component }, reportingComponent: component, reportingInstance: "" },
      });
    },
    controller({ delayMs, names, reconcile }) {
      const waiting = new Map<string, () => void>();
      queues.push(waiting);
      const enqueue = (name: string) => {
        if (waiting.has(name)) return;
        waiting.set(
          name,
          after(delayMs, () => {
            waiting.delete(name);
            reconcile(name);
          }),
        );
      };
      unlisten.push(store.listen((change) => guarded(() => names(change).forEach(enqueue))));
      return { enqueue };
    },
    async settled() {
      while (!life.aborted && queues.some(({ size }) => size > 0)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async close() {
      ending.abort(new Error("the fake cluster is over"));
      for (const end of unlisten) end();
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      await Promise.all(tasks);
      if (errors.length > 0) throw new AggregateError(errors, `a controller of the fake cluster failed: ${errors[0]}`);
    },
  };
  return shop;
}

/** The uid of the object's controller. */
export function controllerOf({ metadata }: Stored): string | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
}

/** A reference that makes the object the controller of another. */
export function controlledBy(kind: Kind, { metadata: { name, uid } }: Stored): Record<string, unknown> {
  return { apiVersion: kind.apiVersion, kind: kind.kind, name, uid, controller: true, blockOwnerDeletion: true };
}
