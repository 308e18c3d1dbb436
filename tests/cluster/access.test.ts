/**
 * The suite of cluster access over a real API server: whatever KUBECONFIG leads to, as an account that may make
 * namespaces, roles and tokens. CLUSTER_RESTART may hold a command that restarts the API server.
 */
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import type { ClusterConfig } from "../../adapters/cluster/config.ts";
import { findCluster } from "../../adapters/cluster/config.ts";
import { listAndWatch } from "../../adapters/cluster/watch.ts";
import { systemClock } from "../../adapters/clock.ts";
import { type AccessHarness, checks, contract } from "../contract/cluster_access.ts";
import { until } from "../wait.ts";

const VERBS = ["get", "list", "watch", "create", "patch", "delete"];
const RBAC = "rbac.authorization.k8s.io/v1";
const options = { clock: systemClock, log: () => {}, random: { float: () => 0.5 } };
const restartCommand = Deno.env.get("CLUSTER_RESTART");

if (Deno.env.get("KUBECONFIG")) {
  contract("real", realHarness, {
    skip: [{
      reason: "cannot be made to happen on a real API server",
      checks: checks.filter(({ needs }) => needs === "faults").map(({ name }) => name),
    }],
    lacks: restartCommand ? {} : { restart: "CLUSTER_RESTART holds no command that restarts the API server" },
  });
} else {
  Deno.test("cluster access/real: a cluster", () => {
    throw new Error(
      "Cannot test against a cluster: KUBECONFIG is not set; set it to the kubeconfig of a cluster that may be used for " +
        "tests (kind create cluster, k3d cluster create, or a cloud's), as an account that may make namespaces and roles",
    );
  });
}

/** A namespace of its own, and an account in it that may do with config maps what the check leaves it. */
async function realHarness(): Promise<AccessHarness> {
  const never = new AbortController().signal;
  const config = await findCluster({ env: (name) => Deno.env.get(name) }, never);
  const admin = createClusterAccess(config, options);
  const namespace = `hr-access-${crypto.randomUUID().slice(0, 8)}`;
  const at = (resource: string, apiVersion = "v1") => ({ apiVersion, resource, namespace });
  const metadata = { name: "tester" };
  await admin.create({ apiVersion: "v1", resource: "namespaces" }, { metadata: { name: namespace } }, never);
  await admin.create(at("serviceaccounts"), { metadata }, never);
  const rules = (verbs: string[]) => [
    { apiGroups: [""], resources: ["configmaps"], verbs },
    { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
    { apiGroups: ["nowhere.example.com"], resources: ["*"], verbs: ["*"] },
  ];
  await admin.create(at("roles", RBAC), { metadata, rules: rules(VERBS) }, never);
  await admin.create(at("rolebindings", RBAC), {
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "tester" },
    subjects: [{ kind: "ServiceAccount", name: "tester", namespace }],
  }, never);
  const token = await tokenOf(admin, { ...at("serviceaccounts"), name: "tester", subresource: "token" });
  const limited: ClusterConfig = {
    ...config,
    namespace,
    token: () => Promise.resolve(token),
    // Its token alone says who it is.
    tls: async (signal) => {
      const { caCerts } = await config.tls(signal);
      return caCerts ? { caCerts } : {};
    },
  };
  const access = createClusterAccess(limited, options);
  await until("the role", () => access.page(at("configmaps"), { limit: 1 }, never).then(() => true));
  // The controller manager puts its CA bundle there by itself; the checks select or begin from their own.
  return {
    access,
    admin,
    namespace,
    watch: listAndWatch,
    async deny(verb) {
      const verbs = VERBS.filter((each) => each !== verb);
      await admin.patch({ ...at("roles", RBAC), name: "tester" }, { rules: rules(verbs) }, never);
      await until("the denial", async () => await mayNot(access, verb, namespace));
    },
    ...restartCommand ? { restart: () => restart(restartCommand) } : {},
    async close() {
      await admin.delete({ apiVersion: "v1", resource: "namespaces", name: namespace }, {}, never);
      access.close();
      admin.close();
    },
  };
}

async function tokenOf(admin: AccessHarness["admin"], target: Parameters<AccessHarness["admin"]["post"]>[0]) {
  const answer = await admin.post(target, { spec: { expirationSeconds: 3600 } }, new AbortController().signal);
  const { status } = answer as { status: { token: string } };
  return status.token;
}

/** The server's own word on what the account may do. */
async function mayNot(access: AccessHarness["access"], verb: string, namespace: string): Promise<boolean> {
  const target = { apiVersion: "authorization.k8s.io/v1", resource: "selfsubjectaccessreviews" };
  const spec = { resourceAttributes: { verb, resource: "configmaps", namespace } };
  const answer = await access.post(target, { spec }, new AbortController().signal);
  return !(answer as { status: { allowed: boolean } }).status.allowed;
}

async function restart(command: string): Promise<void> {
  const [program = "", ...args] = command.split(" ");
  const { success } = await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output();
  if (!success) throw new Error("Cannot restart the API server: CLUSTER_RESTART failed");
}
