/**
 * A namespace of its own on the cluster that KUBECONFIG leads to, under the Restricted standard, with the accounts that
 * the chart would install: rights come from adapters/engine/cluster/rights.ts and nowhere else.
 */
import * as z from "zod/mini";
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import { type ClusterConfig, findCluster } from "../../adapters/cluster/config.ts";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import type { Target } from "../../adapters/cluster/target.ts";
import { systemClock } from "../../adapters/clock.ts";
import { ARGO_API } from "../../adapters/engine/cluster/kinds.ts";
import {
  type ClusterEngine,
  ingestionRules,
  type PolicyRule,
  runnerRules,
  secretRules,
} from "../../adapters/engine/cluster/rights.ts";
import { putSecret } from "../secrets/put_secret.ts";
import { until } from "../wait.ts";

/** The two accounts: the runner's, and the one that jobs run as. */
export type Account = "runner" | "ingestion";

export interface WorldOptions {
  engine: ClusterEngine;
  /** The only Secrets that the ingestion account may read; all of the namespace where absent. */
  secretNames?: readonly string[];
}

export interface World {
  readonly namespace: string;
  readonly engine: ClusterEngine;
  /** The runner's way to the cluster, with nothing but its own token. */
  readonly config: ClusterConfig;
  /** Access as the runner. */
  readonly access: ClusterAccess;
  /** Access as whoever KUBECONFIG names; may do everything. */
  readonly admin: ClusterAccess;
  /** A kind in this world's namespace. */
  at(resource: string, apiVersion?: string): Target;
  /** Another account's way to the cluster. */
  configOf(account: Account): Promise<ClusterConfig>;
  /** Access that `close` gives back. */
  accessAs(account: Account): Promise<ClusterAccess>;
  /** Creates the Secret, or replaces all its keys. */
  createSecret(name: string, values: Record<string, string | Uint8Array>): Promise<void>;
  /** Replaces what an account may do with Secrets, and waits until the API server knows. */
  grantSecrets(rules: PolicyRule[]): Promise<void>;
  /** The API server's own word on what an account may do here. */
  may(access: ClusterAccess, attributes: ResourceAttributes): Promise<boolean>;
  /** Gives everything back and deletes the namespace without waiting for its end. */
  close(): Promise<void>;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/ */
export interface ResourceAttributes {
  verb: string;
  resource: string;
  group?: string;
  subresource?: string;
  name?: string;
  namespace?: string;
}

const RBAC = "rbac.authorization.k8s.io/v1";
const Token = z.object({ status: z.object({ token: z.string() }) });
const Review = z.object({ status: z.object({ allowed: z.boolean() }) });
const options = { clock: systemClock, log: () => {}, random: { float: () => 0.5 } };
const never = new AbortController().signal;

/** Opens a world. Throws a sentence that says what to do where there is no cluster, or none that serves the engine. */
export async function openWorld({ engine, secretNames }: WorldOptions): Promise<World> {
  const admin = createClusterAccess(await adminConfig(), options);
  try {
    const isArgoServed = (await admin.served(ARGO_API, never)).length > 0;
    if (engine === "argo" && !isArgoServed) {
      throw new Error(
        "Cannot test Argo Workflows: this cluster does not serve its kinds; install it (https://argo-workflows.readthedocs" +
          ".io/en/latest/quick-start/), with a controller that watches all namespaces",
      );
    }
    return await furnish(admin, engine, runnerRules(engine, { other: isArgoServed }), secretNames);
  } catch (error) {
    admin.close();
    throw error;
  }
}

async function furnish(
  admin: ClusterAccess,
  engine: ClusterEngine,
  runner: PolicyRule[],
  secretNames: readonly string[] | undefined,
): Promise<World> {
  const namespace = `hr-test-${crypto.randomUUID().slice(0, 8)}`;
  const opened: ClusterAccess[] = [];
  const at = (resource: string, apiVersion = "v1"): Target => ({ apiVersion, resource, namespace });
  const labels = { "pod-security.kubernetes.io/enforce": "restricted", "hybrid-runner.dev/test": "true" };
  const namespaces = { apiVersion: "v1", resource: "namespaces" };
  await admin.create(namespaces, { metadata: { name: namespace, labels } }, never);

  async function bind(role: string, account: Account, rules: PolicyRule[]): Promise<void> {
    const metadata = { name: role };
    await admin.create(at("roles", RBAC), { metadata, rules }, never);
    await admin.create(at("rolebindings", RBAC), {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role },
      subjects: [{ kind: "ServiceAccount", name: account, namespace }],
    }, never);
  }

  async function configOf(account: Account): Promise<ClusterConfig> {
    const config = await adminConfig();
    const target = { ...at("serviceaccounts"), name: account, subresource: "token" };
    const { status } = Token.parse(await admin.post(target, { spec: { expirationSeconds: 7200 } }, never));
    return {
      ...config,
      namespace,
      source: `the test's account ${account}`,
      token: () => Promise.resolve(status.token),
      // Its token alone says who it is.
      tls: async (signal) => {
        const { caCerts } = await config.tls(signal);
        return caCerts ? { caCerts } : {};
      },
    };
  }

  async function accessAs(account: Account): Promise<ClusterAccess> {
    const access = createClusterAccess(await configOf(account), options);
    opened.push(access);
    return access;
  }

  async function may(access: ClusterAccess, attributes: ResourceAttributes): Promise<boolean> {
    const target = { apiVersion: "authorization.k8s.io/v1", resource: "selfsubjectaccessreviews" };
    const spec = { resourceAttributes: { namespace, ...attributes } };
    return Review.parse(await access.post(target, { spec }, never)).status.allowed;
  }

  for (const name of ["runner", "ingestion"]) {
    // A token only where a pod asks for one, as the chart has it.
    await admin.create(at("serviceaccounts"), { metadata: { name }, automountServiceAccountToken: false }, never);
  }
  await bind("runner", "runner", runner);
  await bind("ingestion", "ingestion", ingestionRules(engine));
  await bind("secrets", "ingestion", secretRules(secretNames));
  const config = await configOf("runner");
  const access = createClusterAccess(config, options);
  opened.push(access);
  const ingestion = await accessAs("ingestion");
  const readable = secretNames?.[0];
  const read = { verb: "get", resource: "secrets", ...readable === undefined ? {} : { name: readable } };
  // The API server hears of new roles a moment later; pods want the configuration map with its CA.
  await until("the runner's rights", () => may(access, { verb: "create", resource: "secrets" }));
  await until("the ingestion account's rights", () => may(ingestion, read));
  await until("the CA in the namespace", () => admin.get({ ...at("configmaps"), name: "kube-root-ca.crt" }, never));

  return {
    namespace,
    engine,
    config,
    access,
    admin,
    at,
    configOf,
    accessAs,
    may,
    createSecret: (name, values) => putSecret(admin, namespace, name, values),
    async grantSecrets(rules) {
      await admin.patch({ ...at("roles", RBAC), name: "secrets" }, { rules }, never);
      const name = rules[0]?.resourceNames?.[0];
      const wanted = rules.length > 0;
      const attributes = { verb: "get", resource: "secrets", ...name === undefined ? {} : { name } };
      await until("the changed rights", async () => await may(ingestion, attributes) === wanted);
      // What was granted before to all must be gone as well.
      if (name !== undefined) {
        await until(
          "the end of the old rights",
          async () => !await may(ingestion, { verb: "get", resource: "secrets", name: "any-other" }),
        );
      }
    },
    async close() {
      // Pods must not outlive the suite: the namespace's end takes them, at its own pace.
      await admin.delete({ ...namespaces, name: namespace }, { propagationPolicy: "Background" }, never);
      for (const each of opened) each.close();
      admin.close();
    },
  };
}

async function adminConfig(): Promise<ClusterConfig> {
  if (!Deno.env.get("KUBECONFIG")) {
    throw new Error(
      "Cannot test against a cluster: KUBECONFIG is not set; set it to the kubeconfig of a cluster that may be used for " +
        "tests (kind create cluster, k3d cluster create, or a cloud's), as an account that may make namespaces and roles",
    );
  }
  return await findCluster({ env: (name) => Deno.env.get(name) }, never);
}
