/** The two watches that feed the store; one that fails is begun anew, for as long as the engine lives. */
import { reasonOf } from "../../../mod/fault.ts";
import type { Clock, Log } from "../../../mod/ports.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { Target } from "../../cluster/target.ts";
import { listAndWatch, type WatchEvent } from "../../cluster/watch.ts";
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
}

/** The watches as health sees them. */
export interface Watches {
  /** What a watch met with last; undefined while both are well. */
  trouble(): string | undefined;
  /** Resolves when both have ended. */
  done: Promise<unknown>;
}

const AGAIN_MS = 2_000;
/** Objects on a page: a page is held in memory whole. */
const PAGE = 100;

/** Starts them: pods are listed once all runs are, so that the pods of acknowledged runs are known as such. */
export function startWatches(options: WatchesOptions): Watches {
  const { agentId, access, namespace, dialect, store, clock, log, random, life } = options;
  const troubles = new Map<string, string>();
  const runsListed = Promise.withResolvers<void>();
  life.addEventListener("abort", () => runsListed.resolve(), { once: true });

  async function follow(target: Target, labelSelector: string, take: (event: WatchEvent) => void): Promise<void> {
    const name = target.resource;
    while (!life.aborted) {
      try {
        const watch = { labelSelector, limit: PAGE, clock, log, random };
        for await (const event of listAndWatch(access, target, watch, life)) {
          if (event.kind === "listed") troubles.delete(name);
          take(event);
        }
      } catch (error) {
        if (life.aborted) return;
        if (troubles.get(name) !== reasonOf(error)) log("error", "engine.watch", { loop: name, error });
        troubles.set(name, reasonOf(error));
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
  );
  const pods = runsListed.promise.then(() => follow({ ...PODS, namespace }, selectorOf(own), store.pod));
  return { trouble: () => [...troubles.values()][0], done: Promise.all([runs, pods]) };
}
