/** The two watches that feed the store; one that fails is begun anew, for as long as the engine lives. */
import { type Fault, reasonOf } from "../../../mod/fault.ts";
import type { Clock, Log } from "../../../mod/ports.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { Target } from "../../cluster/target.ts";
import { listAndWatch, type WatchEvent, type WatchOptions } from "../../cluster/watch.ts";
import type { Dialect } from "./dialect.ts";
import { PODS } from "./kinds.ts";
import { ownLabels, selectorOf } from "./marks.ts";
import type { Store } from "./store.ts";

/** What the watches work with. */
export interface WatchesOptions {
  agentId: string;
  access: ClusterAccess;
  namespace: string;
  dialect: Dialect;
  store: Store;
  clock: Clock;
  log: Log;
  random: { float(): number };
  life: AbortSignal;
  /** Runs are listed again and again: of the engine that was there before us we may not watch. */
  polls?: boolean;
}

/** The watches as health sees them. */
export interface Watches {
  /** What a watch met with last; undefined while both are well. */
  trouble(): string | undefined;
  /** Resolves when both have listed. Faults: what keeps one from it that waiting does not mend (a right, a namespace). */
  ready(signal: AbortSignal): Promise<void>;
  /** Resolves when both have ended. */
  done: Promise<unknown>;
}

const AGAIN_MS = 2_000;
/** Objects on a page: a page is held in memory whole. */
const PAGE = 100;

/** Starts them: pods are listed once all runs are, so that the pods of acknowledged runs are known as such. */
export function startWatches(options: WatchesOptions): Watches {
  const { agentId, access, namespace, dialect, store, clock, log, random, life } = options;
  const troubles = new Map<string, unknown>();
  /** Of watches that have listed and hear no changes. */
  const deaf = new Map<string, unknown>();
  const waiting = new Set<(error: unknown) => void>();
  const runsListed = Promise.withResolvers<void>();
  life.addEventListener("abort", () => runsListed.resolve(), { once: true });

  async function follow(
    target: Target,
    labelSelector: string,
    take: (event: WatchEvent) => void,
    changesOf = listAndWatch,
  ): Promise<void> {
    const name = target.resource;
    while (!life.aborted) {
      try {
        const trouble = (fault?: Fault) => void (fault ? deaf.set(name, fault) : deaf.delete(name));
        const watch = { labelSelector, limit: PAGE, clock, log, random, trouble };
        for await (const event of changesOf(access, target, watch, life)) {
          if (event.kind === "listed") troubles.delete(name);
          take(event);
        }
      } catch (error) {
        if (life.aborted) return;
        const before = troubles.get(name);
        if (before === undefined || reasonOf(before) !== reasonOf(error)) {
          log("error", "engine.watch", { loop: name, error });
        }
        troubles.set(name, error);
        for (const refuse of waiting) refuse(error);
        await clock.sleep(AGAIN_MS, life).catch(() => {});
      }
    }
  }

  const own = ownLabels(agentId);
  const runs = follow(
    { ...dialect.runs, namespace },
    selectorOf(own, { unacknowledged: true }),
    (event) => {
      store.run(event);
      if (event.kind === "listed") runsListed.resolve();
    },
    options.polls ? listAgain : listAndWatch,
  );
  const pods = runsListed.promise.then(() => follow({ ...PODS, namespace }, selectorOf(own), store.pod));
  return {
    trouble: () => [...troubles.values(), ...deaf.values()].map(reasonOf)[0],
    async ready(signal) {
      for (const error of troubles.values()) throw error;
      const { promise: refused, reject: refuse } = Promise.withResolvers<never>();
      waiting.add(refuse);
      try {
        await Promise.race([store.ready(signal), refused]);
      } finally {
        waiting.delete(refuse);
      }
    },
    done: Promise.all([runs, pods]),
  };
}

/** The same sequence without a watch: everything, `listed`, then what a new list every few seconds shows as changed. */
async function* listAgain(
  access: ClusterAccess,
  target: Target,
  { labelSelector, limit, clock }: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent, void> {
  const known = new Map<string, { name: string; version: string }>();
  const select = { ...labelSelector === undefined ? {} : { labelSelector }, ...limit === undefined ? {} : { limit } };
  for (let first = true;; first = false) {
    const seen = new Set<string>();
    for await (const object of access.list(target, select, signal)) {
      const { uid, name, resourceVersion: version } = object.metadata;
      seen.add(uid);
      const before = known.get(uid);
      known.set(uid, { name, version });
      if (before?.version !== version) yield { kind: before ? "modified" : "added", object };
    }
    for (const [uid, { name }] of known) {
      if (seen.has(uid)) continue;
      known.delete(uid);
      yield { kind: "deleted", uid, name };
    }
    if (first) yield { kind: "listed" };
    await clock.sleep(AGAIN_MS, signal);
  }
}
