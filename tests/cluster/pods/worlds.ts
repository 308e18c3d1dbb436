/** One test over both engines: a world for each where the cluster serves it, at the same time. */
import { createClusterAccess } from "../../../adapters/cluster/access.ts";
import { findCluster } from "../../../adapters/cluster/config.ts";
import { systemClock } from "../../../adapters/clock.ts";
import { ARGO_API } from "../../../adapters/engine/cluster/kinds.ts";
import type { ClusterEngine } from "../../../adapters/engine/cluster/rights.ts";
import { within } from "../../wait.ts";
import { openWorld, type World, type WorldOptions } from "../world.ts";

export interface WorldsOptions extends Omit<WorldOptions, "engine"> {
  /** Limit of the whole, seconds. */
  seconds?: number;
}

/** One test that has each engine's namespace in the hand; what fails says on which engine. */
export function worlds(name: string, options: WorldsOptions, work: (world: World) => Promise<void>): void {
  const { seconds = 150, ...worldOptions } = options;
  Deno.test({
    name: `cluster/${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    sanitizeExit: true,
    fn: () =>
      within(
        "the end of the test",
        (async () => {
          const outcomes = await Promise.allSettled((await served()).map((engine) => over(engine, worldOptions, work)));
          const failed = outcomes.flatMap((each) => each.status === "rejected" ? [each.reason] : []);
          if (failed.length === 1) throw failed[0];
          if (failed.length > 1) throw new AggregateError(failed, failed.map((each) => String(each)).join("\n"));
        })(),
        seconds * 1000,
      ),
  });
}

async function over(
  engine: ClusterEngine,
  options: Omit<WorldOptions, "engine">,
  work: (world: World) => Promise<void>,
): Promise<void> {
  const world = await openWorld({ engine, ...options });
  try {
    await work(world);
  } catch (error) {
    if (error instanceof Error) error.message = `[${engine}, ${world.namespace}] ${error.message}`;
    throw error;
  } finally {
    await world.close();
  }
}

/** The engines that this cluster can run; the one that it cannot is said so. */
async function served(): Promise<ClusterEngine[]> {
  if (!Deno.env.get("KUBECONFIG")) return ["kubernetes"];
  const never = new AbortController().signal;
  const config = await findCluster({ env: (name) => Deno.env.get(name) }, never);
  const admin = createClusterAccess(config, { clock: systemClock, log: () => {}, random: { float: () => 0.5 } });
  try {
    if ((await admin.served(ARGO_API, never)).length > 0) return ["kubernetes", "argo"];
    // deno-lint-ignore no-console
    console.log("skipped on argo: this cluster does not serve its kinds");
    return ["kubernetes"];
  } finally {
    admin.close();
  }
}
