/** Where the cluster is: the pod's service account, kubeconfig files, and what is refused. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { findCluster } from "../../adapters/cluster/config.ts";
import { Fault, type FaultCode } from "../../mod/fault.ts";
import { inFolder } from "../folder.ts";
import { test } from "../limited.ts";

const CANARY = "canary-5be0d1";
const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const signal = new AbortController().signal;

const kubeconfig = (cluster = "", user = `token: ${CANARY}`, server = "https://10.0.0.1:6443") =>
  `apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: "${server}"${cluster && `, ${cluster}`}}}]
users: [{name: u, user: {${user}}}]
contexts: [{name: here, context: {cluster: c, user: u, namespace: jobs}}]
`;

/** The file, and the fault with its sentence. */
const REFUSED: readonly [name: string, file: string, code: FaultCode, says: RegExp][] = [
  ["no YAML", `a: [${CANARY}`, "invalid", /not valid YAML/],
  ["no kubeconfig", "clusters: 3", "invalid", /clusters/],
  ["empty", "", "invalid", /no kubeconfig/],
  ["no current context", "clusters: []", "invalid", /use-context/],
  ["a context that is not there", "current-context: x\ncontexts: []", "invalid", /no context named "x"/],
  ["skipped TLS", kubeconfig("insecure-skip-tls-verify: true"), "invalid", /certificate-authority instead/],
  ["another TLS name", kubeconfig("tls-server-name: other"), "invalid", /stands in the server's certificate/],
  ["a wrong proxy", kubeconfig("proxy-url: ftp://x"), "invalid", /proxy-url must begin/],
  ["an exec plugin", kubeconfig("", "exec: {command: aws}"), "invalid", /kubectl create token/],
  ["an auth provider", kubeconfig("", "auth-provider: {name: gcp}"), "invalid", /use a token/],
  ["a password", kubeconfig("", `username: me, password: ${CANARY}`), "invalid", /use a token/],
  ["impersonation", kubeconfig("", "as: root"), "invalid", /own token/],
  ["plain HTTP", kubeconfig("", "", "http://10.0.0.1"), "invalid", /https:/],
  ["no address", kubeconfig("", "", "10.0.0.1"), "invalid", /https:/],
  ["a password in the address", kubeconfig("", "", `https://me:${CANARY}@host`), "invalid", /user or password/],
  [
    "a CA that is no PEM",
    kubeconfig(`certificate-authority-data: ${btoa(CANARY)}`),
    "invalid",
    /no.* PEM|not the base64/,
  ],
  ["a CA file that is absent", kubeconfig("certificate-authority: gone.pem"), "unavailable", /gone\.pem/],
  ["a certificate without its key", kubeconfig("", `client-certificate-data: ${btoa(PEM)}`), "invalid", /go together/],
  ["a token file that is absent", kubeconfig("", "tokenFile: gone"), "unavailable", /gone/],
  ["a token with a line break", kubeconfig("", `token: "a\\n${CANARY}"`), "unavailable", /issue a new one/],
];

for (const [name, file, code, says] of REFUSED) {
  test(`cluster config: ${name} is ${code}`, () =>
    inFolder(async (folder) => {
      const path = `${folder}/config`;
      await Deno.writeTextFile(path, file);
      const error = await findCluster({ env: (key) => key === "KUBECONFIG" ? path : undefined }, signal)
        .then(async (config) => [await config.tls(signal), await config.token(signal)])
        .then(() => undefined, (error) => error);
      assert.ok(error instanceof Fault, inspect(error));
      assert.equal(error.code, code);
      assert.match(error.message, says);
      assert.ok(error.message.includes(folder), "the message doesn't say which file");
      assert.doesNotMatch(inspect(error, { depth: 10 }), new RegExp(CANARY));
    }));
}

test("cluster config: files beside the kubeconfig are read anew each time", () =>
  inFolder(async (folder) => {
    const path = `${folder}/config`;
    await Deno.writeTextFile(path, kubeconfig("certificate-authority: ca.pem, proxy-url: http://p:1", "tokenFile: t"));
    await Deno.writeTextFile(`${folder}/t`, "first\n");
    await Deno.writeTextFile(`${folder}/ca.pem`, PEM);
    const config = await findCluster({ env: (key) => key === "KUBECONFIG" ? path : undefined }, signal);
    assert.equal(config.server, "https://10.0.0.1:6443");
    assert.equal(config.namespace, "jobs");
    assert.equal(config.proxy, "http://p:1");
    assert.deepEqual(await config.tls(signal), { caCerts: [PEM] });
    assert.equal(await config.token(signal), "first");
    await Deno.writeTextFile(`${folder}/t`, "second");
    assert.equal(await config.token(signal), "second");
  }));

test("cluster config: a pod's service account", () =>
  inFolder(async (folder) => {
    const env = (key: string) => ({ KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" }[key]);
    const place = { env, serviceAccount: folder };
    await assert.rejects(findCluster(place, signal), /automountServiceAccountToken/);
    await Deno.writeTextFile(`${folder}/namespace`, "jobs\n");
    await Deno.writeTextFile(`${folder}/ca.crt`, PEM);
    await Deno.writeTextFile(`${folder}/token`, "first");
    const config = await findCluster(place, signal);
    assert.equal(config.server, "https://[fd00::1]:6443");
    assert.equal(config.namespace, "jobs");
    assert.deepEqual(await config.tls(signal), { caCerts: [PEM] });
    assert.equal(await config.token(signal), "first");
    await Deno.writeTextFile(`${folder}/token`, "second");
    assert.equal(await config.token(signal), "second");
  }));

test("cluster config: nowhere says what to set", async () => {
  await assert.rejects(findCluster({ env: () => undefined }, signal), /set KUBECONFIG/);
});
