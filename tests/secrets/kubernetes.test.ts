/** What Kubernetes' own Secrets mean: keys, namespaces, and refusals that say what to do. */
import assert from "node:assert/strict";
import { createKubernetesSecrets, subjectOf } from "../../adapters/secrets/kubernetes.ts";
import { createSecretsProvider } from "../../adapters/secrets/provider.ts";
import { Fault, type FaultCode } from "../../mod/fault.ts";
import type { SecretsProvider } from "../../mod/ports.ts";
import { createRedactor } from "../../mod/redact.ts";
import { mapReference } from "../../mod/secrets/mapping.ts";
import { parseReference } from "../../mod/secrets/reference.ts";
import { reveal } from "../../mod/secrets/secret.ts";
import { fakeApiServer } from "../fakes/api_server.ts";
import { inFolder } from "../folder.ts";
import { test } from "../limited.ts";
import { ACCOUNT, type KubernetesHarness, kubernetesHarness, NAMESPACE } from "./harness.ts";
import { putSecret } from "./put_secret.ts";

const never = new AbortController().signal;
const CANARY = "canary-0a4be7d1-do-not-show";

const read = async (provider: SecretsProvider, reference: string) =>
  reveal((await provider.read(mapReference("kubernetes", parseReference(reference)), never)).value);

async function refusal(provider: SecretsProvider, reference: string, code: FaultCode): Promise<Fault> {
  const error = await read(provider, reference).then(() => assert.fail("it was read"), (error) => error);
  assert.ok(error instanceof Fault, Deno.inspect(error));
  assert.equal(error.code, code, error.message);
  assert.ok(error.message.startsWith(`Cannot read secret "${reference}" from kubernetes: `), error.message);
  assert.ok(!Deno.inspect(error, { depth: 20 }).includes(CANARY), "the value is shown");
  // It travels as the run's reason: what a redactor cuts out of it, nobody can follow.
  assert.equal(createRedactor().text(error.message), error.message);
  return error;
}

function kubernetes(name: string, work: (harness: KubernetesHarness) => Promise<void>): void {
  test(`secrets/kubernetes: ${name}`, async () => {
    const harness = await kubernetesHarness();
    try {
      await work(harness);
    } finally {
      await harness.close();
    }
  });
}

kubernetes("the key asked for, else value, else the only one", async ({ provider, admin }) => {
  await putSecret(admin, NAMESPACE, "shop-db", { value: "whole", user: "reader", password: ' p"w\n' });
  assert.equal(await read(provider, "secret:/shop/db"), "whole");
  assert.equal(await read(provider, "secret:shop/db#user"), "reader");
  assert.equal(await read(provider, "secret:shop-db#password"), ' p"w\n');
  await putSecret(admin, NAMESPACE, "single", { "tls.key": CANARY });
  assert.equal(await read(provider, "secret:/single"), CANARY);
  // Kubernetes' own keys are asked for, never a member of a text.
  await putSecret(admin, NAMESPACE, "json", { value: JSON.stringify({ user: CANARY }) });
  assert.match((await refusal(provider, "secret:/json#user", "not_found")).message, /has no key user; value is there/);
});

kubernetes("several keys and none named value: which one must be said", async ({ provider, admin }) => {
  await putSecret(admin, NAMESPACE, "many", { user: CANARY, password: CANARY });
  const { message } = await refusal(provider, "secret:/many", "malformed");
  assert.match(message, /has 2 keys \((user, password|password, user)\) and none is named value; .*secret:\/many#/);
  await putSecret(admin, NAMESPACE, "none", {});
  assert.match((await refusal(provider, "secret:/none", "malformed")).message, /has no keys; store the value/);
  assert.match((await refusal(provider, "secret:/none#user", "not_found")).message, /no key user; none is there/);
  const lots = Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`key-${i}`, CANARY]));
  await putSecret(admin, NAMESPACE, "lots", lots);
  assert.match((await refusal(provider, "secret:/lots", "malformed")).message, /99 keys \(.{0,99}, …\)/);
});

kubernetes("a refusal names the account, the Secret and the rule that is missing", async (harness) => {
  await harness.put("secret:/a/db-password", CANARY);
  await harness.deny?.("secret:/a/db-password");
  const { message, details } = await refusal(harness.provider, "secret:/a/db-password", "denied");
  assert.match(message, /may not get the Secret "a-db-password" in namespace secrets-here \(whether it exists is not/);
  const rule = 'apiGroups: [""], resources: ["secrets"], resourceNames: ["a-db-password"], verbs: ["get"]';
  assert.ok(message.endsWith(`add to a Role in namespace secrets-here that is bound to this account: {${rule}}`));
  assert.equal(details.rule, 'get secrets "a-db-password" in namespace secrets-here');
});

kubernetes("who asked is told by the API server, else by the token", async ({ provider }) => {
  const { message } = await refusal(provider, "secret:/nowhere", "not_found");
  assert.ok(message.includes(`${ACCOUNT} finds no Secret "nowhere" in namespace secrets-here; create it (kubectl `));
  const denied = new Fault("denied", 'Cannot get secrets: x is forbidden: User "the real one" cannot get', {
    rule: "rbac: get secrets",
  });
  const refusing = (error: Error) =>
    createKubernetesSecrets({
      access: { get: () => Promise.reject(error) },
      namespace: "n",
      identity: () => Promise.reject(new Error("no token")),
    });
  assert.match((await refusal(refusing(denied), "secret:/a", "denied")).message, /: the real one may not get/);
  assert.match((await refusal(refusing(new TypeError(CANARY)), "secret:/a", "internal")).message, /unexpected TypeErr/);
  const unknown = new Fault("denied", "Cannot get it: the token is not accepted; renew it", { rule: "authentication" });
  assert.match((await refusal(refusing(unknown), "secret:/a", "denied")).message, /renew it \(asked as this pod's acc/);
});

test("secrets/kubernetes: an account's name stands in its token", () => {
  const token = (claims: string) => `e30.${btoa(claims).replaceAll("=", "")}.c2ln`;
  assert.equal(subjectOf(token(JSON.stringify({ sub: ACCOUNT, aud: ["x"] }))), ACCOUNT);
  for (const other of [undefined, "", "opaque", "a.%%.c", token("{"), token("[]"), token('{"sub":1}')]) {
    assert.equal(subjectOf(other), undefined);
  }
});

test("secrets/kubernetes: what is no Secret is malformed, and not shown", async () => {
  const answering = (answer: object) =>
    createKubernetesSecrets({
      access: { get: () => Promise.resolve({ metadata: { name: "a", uid: "u", resourceVersion: "1" }, ...answer }) },
      namespace: "n",
      identity: () => Promise.resolve(undefined),
    });
  for (const data of [{ value: 1, other: CANARY }, CANARY, { value: `${CANARY}!` }, { value: "YQ" }]) {
    await refusal(answering({ data }), "secret:/a", "malformed");
  }
});

test(
  "secrets/kubernetes: the environment leads to the cluster, the namespace and the token",
  () =>
    inFolder(async (folder) => {
      const server = await fakeApiServer();
      try {
        const kubeconfig = `${folder}/kubeconfig`;
        const env: Record<string, string> = { KUBECONFIG: kubeconfig, SECRETS_NAMESPACE: "vault" };
        const provider = createSecretsProvider((name) => env[name]);
        const early = await refusal(provider, "secret:/a", "unavailable");
        assert.match(early.message, /Cannot read .*kubeconfig.*; set KUBECONFIG/);
        await Deno.writeTextFile(
          kubeconfig,
          JSON.stringify({
            "current-context": "c",
            contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace: "own" } }],
            clusters: [{ name: "c", cluster: { server: server.url } }],
            users: [{ name: "u", user: { token: "the-token" } }],
          }),
        );
        assert.match((await refusal(provider, "secret:/a", "not_found")).message, /in namespace vault;/);
        assert.deepEqual(server.seen.map(({ verb, name, token }) => [verb, name, token]), [["get", "a", "the-token"]]);
        const own = createSecretsProvider((name) => ({ KUBECONFIG: kubeconfig })[name]);
        assert.match((await refusal(own, "secret:/a", "not_found")).message, /in namespace own;/);
      } finally {
        await server.close();
      }
    }),
  { sanitizeResources: false },
);
