/** Cluster access over the fake API server. */
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import type { ClusterConfig } from "../../adapters/cluster/config.ts";
import { listAndWatch } from "../../adapters/cluster/watch.ts";
import { systemClock } from "../../adapters/clock.ts";
import type { AccessHarness } from "../contract/cluster_access.ts";
import { fakeApiServer } from "../fakes/api_server.ts";

/** A fresh fake with `access` and `admin`; both send the token "second", once it is asked for. */
export async function fakeHarness(
  { timeoutMs = 2000, token = "rotated" }: { timeoutMs?: number; token?: "rotated" | "read once" } = {},
): Promise<AccessHarness> {
  const faults = await fakeApiServer();
  let asked = 0;
  const config = (token: () => string): ClusterConfig => ({
    server: faults.url,
    namespace: "here",
    source: "the test",
    tls: () => Promise.resolve({}),
    token: () => Promise.resolve(token()),
  });
  const options = { clock: systemClock, log: () => {}, random: { float: () => 0.5 }, timeoutMs };
  // Rotated under us: the first few requests carry the old one.
  const access = createClusterAccess(config(() => ++asked > 6 && token === "rotated" ? "second" : "first"), options);
  const admin = createClusterAccess(config(() => "second"), options);
  return {
    access,
    admin,
    namespace: "here",
    watch: listAndWatch,
    faults,
    deny: (verb) => Promise.resolve(faults.deny(verb, "configmaps")),
    restart: () => faults.restart(),
    async close() {
      faults.hang(false);
      access.close();
      admin.close();
      await faults.close();
    },
  };
}
