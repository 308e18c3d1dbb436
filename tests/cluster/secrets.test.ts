/** The provider `kubernetes` over a real API server, with the ingestion account's real rights. */
import assert from "node:assert/strict";
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import type { ClusterConfig } from "../../adapters/cluster/config.ts";
import { systemClock } from "../../adapters/clock.ts";
import { secretRules } from "../../adapters/engine/cluster/rights.ts";
import { createKubernetesSecrets, subjectOf } from "../../adapters/secrets/kubernetes.ts";
import { Fault } from "../../mod/fault.ts";
import type { SecretsProvider } from "../../mod/ports.ts";
import { mapReference } from "../../mod/secrets/mapping.ts";
import { parseReference } from "../../mod/secrets/reference.ts";
import { reveal } from "../../mod/secrets/secret.ts";
import { contract, type SecretsHarness } from "../contract/secrets.ts";
import { test } from "../limited.ts";
import { openWorld, type World } from "./world.ts";

const never = new AbortController().signal;
const CANARY = "canary-c41f20aa-do-not-show";

contract("kubernetes, real", realHarness, { lacks: ["key"] });

test("cluster/secrets: a refusal's rule is the one that helps", async () => {
  const world = await openWorld({ engine: "kubernetes", secretNames: ["shop-db", "shop-queue"] });
  const { provider, close } = await providerIn(world);
  try {
    for (const name of ["shop-db", "shop-cache"]) await world.createSecret(name, { value: CANARY, user: "reader" });
    assert.equal(await read(provider, "secret:/shop/db"), CANARY);
    assert.equal(await read(provider, "secret:/shop/db#user"), "reader");
    const absent = await refusal(provider, "secret:/shop/queue");
    assert.equal(absent.code, "not_found");
    const { namespace } = world;
    const account = `system:serviceaccount:${namespace}:ingestion`;
    assert.ok(absent.message.includes(`${account} finds no Secret "shop-queue" in namespace ${namespace}`));

    // One that is there, and one that is not: both look alike to who may not read them.
    for (const name of ["cache", "nowhere"]) {
      const denied = await refusal(provider, `secret:/shop/${name}`);
      assert.equal(denied.code, "denied", denied.message);
      assert.ok(denied.message.includes(`${account} may not get the Secret "shop-${name}" in namespace ${namespace}`));
      const [, rule] = /bound to this account: (\{.*\})$/.exec(denied.message) ?? [];
      assert.equal(
        rule,
        `{apiGroups: [""], resources: ["secrets"], resourceNames: ["shop-${name}"], verbs: ["get"]}`,
      );
    }
    await world.grantSecrets(secretRules(["shop-cache"]));
    assert.equal(await read(provider, "secret:/shop/cache"), CANARY);
    assert.equal((await refusal(provider, "secret:/shop/db")).code, "denied");
  } finally {
    close();
    await world.close();
  }
});

/** A world, its ingestion account, and an address that can be led astray. */
async function realHarness(): Promise<SecretsHarness> {
  const world = await openWorld({ engine: "kubernetes" });
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const taken: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of silent) taken.push(connection);
  })();
  const { provider, close, lead } = await providerIn(world);
  const nameOf = (reference: string) => mapReference("kubernetes", parseReference(reference)).name;
  return {
    provider,
    put: (reference, value) => world.createSecret(nameOf(reference), { value }),
    deny: () => world.grantSecrets([]),
    break: () => Promise.resolve(lead("https://127.0.0.1:1")),
    hang: () => Promise.resolve(lead(`https://127.0.0.1:${silent.addr.port}`)),
    async close() {
      close();
      silent.close();
      await accepting;
      for (const connection of taken) connection.close();
      await world.close();
    },
  };
}

async function providerIn(world: World) {
  const life = new AbortController();
  const real = await world.configOf("ingestion");
  let server = real.server;
  const config: ClusterConfig = {
    ...real,
    get server() {
      return server;
    },
  };
  const hasty = {
    now: systemClock.now,
    sleep: (ms: number, signal: AbortSignal) => systemClock.sleep(ms / 20, signal),
  };
  const access = createClusterAccess(config, { clock: hasty, log: () => {}, random: { float: () => 0 } });
  return {
    provider: createKubernetesSecrets({
      access: { get: (target, signal) => access.get(target, AbortSignal.any([signal, life.signal])) },
      namespace: world.namespace,
      identity: async (signal) => subjectOf(await config.token(signal)),
    }),
    lead: (elsewhere: string) => void (server = elsewhere),
    close() {
      life.abort();
      access.close();
    },
  };
}

async function read(provider: SecretsProvider, reference: string): Promise<string> {
  return reveal((await provider.read(mapReference("kubernetes", parseReference(reference)), never)).value);
}

async function refusal(provider: SecretsProvider, reference: string): Promise<Fault> {
  const error = await read(provider, reference).then(() => assert.fail("it was read"), (error) => error);
  assert.ok(error instanceof Fault, Deno.inspect(error));
  assert.ok(!Deno.inspect(error, { depth: 20 }).includes(CANARY), "the value is shown");
  return error;
}
