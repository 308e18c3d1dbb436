/** Where the API server is and who we are there: the pod's service account, or a kubeconfig file. */
import { Fault } from "../../mod/fault.ts";
import { checkedServer, checkedToken, readText } from "./checked.ts";
import { kubeconfigCluster } from "./kubeconfig.ts";

/** How to reach one cluster. Files are read anew each time, because all of them may be rotated under us. */
export interface ClusterConfig {
  /** Address of the API server without a slash at its end. */
  readonly server: string;
  /** The namespace that is ours where none is named. */
  readonly namespace: string;
  /** Where this was found, for messages. */
  readonly source: string;
  /** A proxy for all requests. */
  readonly proxy?: string;
  /** Certificates as they are now. */
  tls(signal: AbortSignal): Promise<ClusterTls>;
  /** The bearer token as it is now; undefined where another way proves who we are. */
  token(signal: AbortSignal): Promise<string | undefined>;
}

/** PEM texts. */
export interface ClusterTls {
  /** Additional certificate authorities; without them the system's are trusted. */
  caCerts?: string[];
  cert?: string;
  key?: string;
}

/** What decides where the cluster is. */
export interface ClusterPlace {
  /** The environment: KUBECONFIG, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT. */
  env(name: string): string | undefined;
  /** Folder of the mounted service account; another one only in tests. */
  serviceAccount?: string;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** KUBECONFIG where it is set, else the pod's own account. Faults: `invalid`, `unavailable`. */
export async function findCluster(place: ClusterPlace, signal: AbortSignal): Promise<ClusterConfig> {
  const kubeconfig = place.env("KUBECONFIG");
  if (kubeconfig) return await kubeconfigCluster(kubeconfig, signal);
  const host = place.env("KUBERNETES_SERVICE_HOST");
  if (!host) {
    throw new Fault(
      "unavailable",
      "Cannot find a Kubernetes cluster: neither KUBECONFIG nor KUBERNETES_SERVICE_HOST is set; " +
        "run in a pod with a service account, or set KUBECONFIG to the path of a kubeconfig file",
    );
  }
  const port = place.env("KUBERNETES_SERVICE_PORT") || "443";
  const folder = place.serviceAccount ?? SERVICE_ACCOUNT;
  const mounted = "check that the pod has a service account and automountServiceAccountToken is not false";
  return {
    server: checkedServer(`https://${host.includes(":") ? `[${host}]` : host}:${port}`, "KUBERNETES_SERVICE_HOST"),
    namespace: (await readText(`${folder}/namespace`, mounted, signal)).trim(),
    source: "the pod's service account",
    tls: async (signal) => ({ caCerts: [await readText(`${folder}/ca.crt`, mounted, signal)] }),
    token: async (signal) => checkedToken(await readText(`${folder}/token`, mounted, signal), `${folder}/token`),
  };
}
