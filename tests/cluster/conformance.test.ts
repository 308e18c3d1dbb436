/** One conformance suite for all engines, here on what they are made for: a real cluster, and this machine's processes. */
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import { systemClock } from "../../adapters/clock.ts";
import { argoDialect } from "../../adapters/engine/argo/dialect.ts";
import { kubernetesDialect } from "../../adapters/engine/kubernetes/dialect.ts";
import { concurrentContract } from "../contract/concurrent.ts";
import { makeClusterHarness } from "../engine/cluster_harness.ts";
import { realTime } from "../engine/cluster_world.ts";
import { makeLocalHarness } from "../engine/local_harness.ts";
import { imageOf } from "./images.ts";
import { openWorld, type World } from "./world.ts";

/** The engine tells what became of a slot 35 s after it; images are there, pods start within seconds. */
const PATIENCE_MS = 120_000;
const TIMEOUT_MS = 400_000;

for (const dialect of [kubernetesDialect, argoDialect]) {
  let world: World | undefined;
  concurrentContract(`conformance, ${dialect.engine} engine`, () => {
    if (world === undefined) throw new Error("Cannot test: the world was not opened");
    const { namespace, admin, config } = world;
    const random = { float: Math.random };
    return Promise.resolve(makeClusterHarness({
      ...realTime,
      ...{ namespace, admin, patienceMs: PATIENCE_MS, serviceAccount: "ingestion" },
      connect: () => createClusterAccess(config, { clock: systemClock, log: () => {}, random }),
      images: { job: imageOf("job"), runner: imageOf("runner") },
      // One world serves all checks of an engine.
      close: () => Promise.resolve(),
    }, dialect));
  }, {
    atOnce: 6,
    timeoutMs: TIMEOUT_MS,
    async open() {
      world = await openWorld({ engine: dialect.engine });
    },
    close: async () => await world?.close(),
  });
}

concurrentContract("conformance, local engine", makeLocalHarness, {
  atOnce: 3,
  timeoutMs: TIMEOUT_MS,
  lacks: ["schedules-while-away", "diagnose"],
  open: () => Promise.resolve(),
  close: () => Promise.resolve(),
});
