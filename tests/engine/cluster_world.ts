/** What the cluster engines' harness needs of a cluster, whether it is a real one or the fake. */
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import { systemClock } from "../../adapters/clock.ts";
import { STARTING_DEADLINE_SECONDS } from "../../adapters/engine/cluster/limits.ts";
import { type ClusterEngine, type PolicyRule, runnerRules } from "../../adapters/engine/cluster/rights.ts";
import type { Clock } from "../../mod/ports.ts";
import type { Grants } from "../fakes/api_knobs.ts";
import { type FakeCluster, fakeCluster, type FakeClusterOptions } from "../fakes/cluster/fake_cluster.ts";
import { settled } from "../wait.ts";
import { configOf } from "./fake_cluster_scene.ts";
import { createSteppingClock } from "./stepping_clock.ts";

/** A namespace for one harness. */
export interface ClusterWorld {
  readonly namespace: string;
  /** A new way to the cluster with the runner's rights; whoever asks closes it. */
  connect(): ClusterAccess;
  /** Access as somebody with other tools, who may do everything. */
  readonly admin: ClusterAccess;
  /** The engine's clock. */
  readonly clock: Clock;
  /** How long a single change may take, milliseconds. */
  readonly patienceMs: number;
  /** An image with sh, sleep and cat for the jobs, and the runner's own for the canary. */
  readonly images: { job: string; runner: string };
  /** The account that jobs run as. */
  readonly serviceAccount: string;
  /** Cron text whose next slot `toSlot` can reach. */
  readonly schedule: string;
  /** Brings the cluster and `clock` to the slot (an ISO instant), or waits for it. */
  toSlot(slot: string): Promise<void>;
  /** Gives everything back, `admin` included. */
  close(): Promise<void>;
}

/** Time of a world whose clock nobody sets: a slot a minute, and waiting for it. */
export const realTime: Pick<ClusterWorld, "clock" | "schedule" | "toSlot"> = {
  clock: systemClock,
  schedule: "* * * * *",
  toSlot: (slot) => new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(slot) - Date.now()) + 50)),
};

/** The fake with its knobs. */
export interface FakeWorld extends ClusterWorld {
  readonly cluster: FakeCluster;
}

/** A fake cluster where the runner has the rights that the chart gives it, and no others. */
export async function openFakeWorld(
  engine: ClusterEngine,
  options: Partial<FakeClusterOptions> = {},
): Promise<FakeWorld> {
  const clock = createSteppingClock();
  const cluster = await fakeCluster({ clock, ...options });
  const { api, namespace } = cluster;
  api.grant("runner", grantsOf(runnerRules(engine, { other: options.argo ?? true })));
  const random = { float: () => 0.5 };
  const connect = (token: string) =>
    createClusterAccess(configOf(api.url, namespace, token), { clock: systemClock, log: () => {}, random });
  const admin = connect("admin");
  return {
    ...{ cluster, namespace, clock, admin },
    connect: () => connect("runner"),
    patienceMs: 15_000,
    images: { job: "busybox:1.36", runner: "hybrid-runner:test" },
    serviceAccount: "ingestion",
    schedule: "0 0 1 1 *",
    async toSlot(slot) {
      // The controllers must know of a schedule before its slot, and have acted on it before it is too late for it.
      await cluster.settled();
      clock.advance(Date.parse(slot) - clock.now() + 50);
      await settled();
      await cluster.settled();
      clock.advance((STARTING_DEADLINE_SECONDS + 10) * 1000);
    },
    async close() {
      admin.close();
      await cluster.close();
    },
  };
}

function grantsOf(rules: readonly PolicyRule[]): Grants {
  return Object.fromEntries(rules.flatMap(({ resources, verbs }) => resources.map((resource) => [resource, verbs])));
}
