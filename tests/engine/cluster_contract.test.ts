/** Both cluster engines over the fake cluster pass the engine's contract. */
import { argoDialect } from "../../adapters/engine/argo/dialect.ts";
import { kubernetesDialect } from "../../adapters/engine/kubernetes/dialect.ts";
import { contract } from "../contract/engine.ts";
import { makeClusterHarness } from "./cluster_harness.ts";
import { openFakeWorld } from "./cluster_world.ts";

for (const dialect of [kubernetesDialect, argoDialect]) {
  contract(
    `${dialect.engine} engine, fake cluster`,
    async () => makeClusterHarness(await openFakeWorld(dialect.engine), dialect),
  );
}
