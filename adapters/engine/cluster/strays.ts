/** Pods whose run is not known (yet): a pod's event may overtake its run's. */
import type { Clock } from "../../../mod/ports.ts";
import type { PodFacts } from "./facts.ts";

/** Pods by the name of their run. */
export interface Strays {
  /** What is kept for a run. */
  of(name: string): readonly PodFacts[];
  /** Keeps them for a minute. */
  put(name: string, pods: PodFacts[]): void;
  /** Hands them over: their run is known now. */
  take(name: string): PodFacts[];
}

const KEPT_MS = 60_000;

/** No pods yet. */
export function createStrays(clock: Pick<Clock, "now">): Strays {
  const strays = new Map<string, { at: number; pods: PodFacts[] }>();
  return {
    of: (name) => strays.get(name)?.pods ?? [],
    put(name, pods) {
      strays.set(name, { at: clock.now(), pods });
      for (const [key, { at }] of strays) if (clock.now() - at > KEPT_MS) strays.delete(key);
    },
    take(name) {
      const pods = strays.get(name)?.pods ?? [];
      strays.delete(name);
      return pods;
    },
  };
}
