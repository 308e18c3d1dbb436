/**
 * Mutual exclusion where the engine has none: runs that must wait are born held, and the oldest of each pipeline is let
 * go when no other is live. The active runner alone does that, so with the runner down what waits goes on waiting.
 */
import { isFault } from "../../../mod/fault.ts";
import type { Keyed } from "../../../mod/keyed.ts";
import type { Log } from "../../../mod/ports.ts";
import { isTerminal } from "../../../mod/run.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { Dialect } from "./dialect.ts";
import type { Looks } from "./look.ts";
import type { Entry, Store } from "./store.ts";

/** What releasing needs. */
export interface ReleasesOptions {
  access: ClusterAccess;
  namespace: string;
  dialect: Dialect;
  looks: Looks;
  store: Store;
  /** One at a time per pipeline, shared with the commands. */
  perPipeline: Keyed;
  log: Log;
  life: AbortSignal;
}

/** Lets go what may go. */
export interface Releases {
  /** Looks at all that waits; what it begins goes on by itself. */
  round(): void;
  /** Resolves when what is in hand is done. */
  settled(): Promise<void>;
}

/** Releases that begin with the first round. */
export function createReleases(options: ReleasesOptions): Releases {
  const { access, namespace, dialect, looks, store, perPipeline, log, life } = options;
  const inHand = new Map<string, Promise<void>>();

  async function release(pipelineId: string): Promise<void> {
    const next = nextOf(livePipelines(store.live()).get(pipelineId) ?? []);
    if (next === undefined) return;
    const { name } = next.facts;
    try {
      const metadata = { resourceVersion: next.version };
      store.put(await access.patch({ ...dialect.runs, namespace, name }, { ...dialect.release(), metadata }, life));
    } catch (error) {
      if (!isFault(error, "conflict") && !isFault(error, "not_found")) throw error;
      // It changed meanwhile (a stop, another instance): the next round sees it as it is.
      const now = await looks.object(name, life);
      if (now) store.put(now);
    }
  }

  return {
    round() {
      if (dialect.hasMutex || life.aborted) return;
      for (const [pipelineId, entries] of livePipelines(store.live())) {
        if (inHand.has(pipelineId) || nextOf(entries) === undefined) continue;
        const work: Promise<void> = perPipeline.run([pipelineId], () => release(pipelineId), life)
          .catch((error) => void (life.aborted || log("error", "engine.release", { pipelineId, error })))
          .finally(() => inHand.delete(pipelineId));
        inHand.set(pipelineId, work);
      }
    },
    async settled() {
      await Promise.all(inHand.values());
    },
  };
}

/** Runs that have not ended, by their pipeline. */
function livePipelines(entries: Iterable<Entry>): Map<string, Entry[]> {
  const pipelines = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (isTerminal(entry.standing.state) || entry.facts.deleting) continue;
    const { pipelineId } = entry.facts.marks;
    const known = pipelines.get(pipelineId);
    if (known) known.push(entry);
    else pipelines.set(pipelineId, [entry]);
  }
  return pipelines;
}

/** The oldest that waits, where none of the pipeline is live. */
function nextOf(live: readonly Entry[]): Entry | undefined {
  const held = live.filter(({ facts }) => facts.phase === "held");
  if (held.length < live.length) return undefined;
  // One that is being ended is the engine's; it must not be let go once more.
  return held.filter(({ facts }) => facts.marks.endedBy === undefined).sort((a, b) =>
    orderOf(a) < orderOf(b) ? -1 : 1
  )[0];
}

function orderOf({ facts: { marks, created, name } }: Entry): string {
  return `${marks.accepted ?? marks.scheduledAt ?? created} ${name}`;
}
