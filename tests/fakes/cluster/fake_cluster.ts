/**
 * A Kubernetes cluster with Argo Workflows in this process, at the wire: the fake API server, and controllers that act
 * on its objects as the real ones do, only sooner. No containers: a pod's main process is the behaviour (of the engine's
 * contract suite) that its variable BEHAVIOUR asks for, as JSON.
 */
import type { Clock } from "../../../mod/ports.ts";
import { type FakeApiServer, fakeApiServer } from "../api_server.ts";
import { createStore, type ObjectStore } from "../api_store.ts";
import { startCronJobController } from "./cron_job_controller.ts";
import { startCronWorkflowController } from "./cron_workflow_controller.ts";
import { startGarbageCollector } from "./garbage.ts";
import { startJobController } from "./job_controller.ts";
import { startKubelet } from "./kubelet.ts";
import { createTroubles, type Troubles } from "./troubles.ts";
import { startWorkflowController } from "./workflow_controller.ts";
import { createWorkshop } from "./workshop.ts";

export interface FakeCluster extends Pick<Troubles, "afflict" | "cure"> {
  /** The API server, with its knobs. */
  readonly api: FakeApiServer;
  /** The one namespace in which controllers act. */
  readonly namespace: string;
  /** What there is, for looks that should not be counted as requests. */
  readonly store: ObjectStore;
  /** Resolves when no controller has anything to look at. */
  settled(): Promise<void>;
  /** Ends everything. Rejects if a controller met what it should not. */
  close(): Promise<void>;
}

export interface FakeClusterOptions {
  /** Schedules follow it, and times in objects are told by it; jobs take real time. */
  clock: Clock;
  namespace?: string;
  /** Whether Argo Workflows is installed; it is if not said. */
  argo?: boolean;
}

export async function fakeCluster(
  { clock, namespace = "jobs", argo = true }: FakeClusterOptions,
): Promise<FakeCluster> {
  const store = createStore();
  const shop = createWorkshop(store, namespace, clock);
  const troubles = createTroubles();
  startGarbageCollector(shop);
  const kubelet = startKubelet(shop, troubles);
  startJobController(shop, troubles);
  startCronJobController(shop);
  if (argo) {
    startWorkflowController(shop, kubelet, troubles);
    startCronWorkflowController(shop);
  }
  const api = await fakeApiServer({ store, argo, now: clock.now, logs: kubelet.logs });
  const { afflict, cure } = troubles;
  return {
    ...{ api, namespace, store, afflict, cure, settled: shop.settled },
    async close() {
      const ends = await Promise.allSettled([shop.close(), api.close()]);
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
  };
}
