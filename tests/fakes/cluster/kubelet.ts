/** Scheduler and kubelet: pods are put on the one node and run there, by behaviours instead of processes. */
import { PODS, SECRETS } from "../../../adapters/engine/cluster/kinds.ts";
import type { LogSource } from "../api_logs.ts";
import type { Pod, Secret } from "./objects.ts";
import { isOver, type PodLife, startPodLife } from "./pod_life.ts";
import type { Troubles } from "./troubles.ts";
import type { Workshop } from "./workshop.ts";

export interface Kubelet {
  readonly logs: LogSource;
  /** SIGTERM to the main container, SIGKILL after the grace: how Argo ends a container. */
  terminate(pod: Pod): void;
}

const DELAY_MS = 5;

export function startKubelet(shop: Workshop, troubles: Troubles): Kubelet {
  const pods = shop.of<Pod>(PODS), secrets = shop.of<Secret>(SECRETS);
  const lives = new Map<string, PodLife>();

  shop.controller({
    delayMs: DELAY_MS,
    names(change) {
      if (secrets.in(change)) {
        for (const life of lives.values()) life.secretsChanged();
        return [];
      }
      const pod = pods.in(change);
      if (pod === undefined) return [];
      if (change.after !== undefined) return [pod.metadata.name];
      lives.get(pod.metadata.uid)?.vanish();
      lives.delete(pod.metadata.uid);
      return [];
    },
    reconcile(name) {
      const pod = pods.get(name);
      if (pod === undefined) return;
      const { uid, deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
      let life = lives.get(uid);
      if (life === undefined && !isOver(pod)) {
        life = startPodLife(shop, pod, troubles.meet(pod));
        lives.set(uid, life);
      }
      life?.deadline(pod.spec.activeDeadlineSeconds);
      if (deletionTimestamp !== undefined) life?.end({ graceSeconds: deletionGracePeriodSeconds ?? 30 });
    },
  });

  return {
    logs: (pod, container) => lives.get(pod.metadata.uid)?.logs.get(container),
    terminate: (pod) =>
      lives.get(pod.metadata.uid)?.end({ graceSeconds: pod.spec.terminationGracePeriodSeconds ?? 30 }),
  };
}
