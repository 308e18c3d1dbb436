/** What a job's pod needs so that a secret can be read in it: one row per provider. */
import type { SecretsManager } from "../../../mod/secrets/mapping.ts";
import type { EnvVar } from "../cluster/manifest.ts";

/** How the settings of a provider come into the pod. */
export interface ProviderRow {
  /** Variables of the runner itself that the pod needs too; none of them holds a secret. */
  variables: readonly string[];
  /** Whether reading needs the pod's service account token. */
  needsToken: boolean;
  /** What OpenMetadata's loader `env` looks for; absent where the framework does not know the provider. */
  loader?: (place: LoaderPlace) => EnvVar[];
}

/** What a loader's variables are made of. */
export interface LoaderPlace {
  secretsNamespace: string;
  /** The runner's own environment. */
  env(name: string): string | undefined;
}

const AWS = ["AWS_REGION", "AWS_DEFAULT_REGION"];
const GCP = ["GOOGLE_CLOUD_PROJECT"];
// Not AZURE_CLIENT_ID: what is injected into the runner's pod is the runner's identity, never the job's.
const AZURE = ["AZURE_KEY_VAULT_NAME"];
const VAULT = ["VAULT_ADDR", "VAULT_NAMESPACE", "VAULT_MOUNT", "VAULT_ROLE"];

/** All of them: what the executable must be allowed to read. */
export const PROVIDER_VARIABLES: readonly string[] = [...AWS, ...GCP, ...AZURE, ...VAULT];

const aws: ProviderRow = {
  variables: AWS,
  needsToken: false,
  loader: ({ env }) => given("AWS_DEFAULT_REGION", env("AWS_DEFAULT_REGION") || env("AWS_REGION")),
};
const azure: ProviderRow = {
  variables: AZURE,
  needsToken: false,
  loader: ({ env }) => AZURE.flatMap((name) => given(name, env(name))),
};
const local: ProviderRow = { variables: [], needsToken: false };

/** By the value of `SECRETS_MANAGER`. */
export const PROVIDERS: Readonly<Record<SecretsManager, ProviderRow>> = {
  kubernetes: {
    variables: [],
    needsToken: true,
    loader: ({ secretsNamespace }) => [
      { name: "KUBERNETES_NAMESPACE", value: secretsNamespace },
      // Without it the loader looks for a kubeconfig.
      { name: "KUBERNETES_IN_CLUSTER", value: "true" },
    ],
  },
  "managed-aws": aws,
  aws,
  "managed-aws-ssm": aws,
  "aws-ssm": aws,
  gcp: {
    variables: GCP,
    needsToken: false,
    loader: ({ env }) => GCP.flatMap((name) => given(name, env(name))),
  },
  "managed-azure-kv": azure,
  "azure-kv": azure,
  vault: { variables: VAULT, needsToken: true },
  file: local,
  env: local,
};

/**
 * Variables that the step that resolves understands when the settings give them to jobs: identities, proxies, trust.
 * Those of `HYBRID_RUNNER_SECRET_` are secrets by themselves, for that step alone.
 */
export function isForResolve(name: string): boolean {
  return /^(AWS|AZURE|GOOGLE|VAULT)_|^(https?|no)_proxy$|^SSL_CERT_(FILE|DIR)$|^DENO_TLS_CA_STORE$/i.test(name) ||
    isOnlyForResolve(name);
}

/** True for a secret of the provider `env`. */
export function isOnlyForResolve(name: string): boolean {
  return name.startsWith("HYBRID_RUNNER_SECRET_");
}

function given(name: string, value: string | undefined): EnvVar[] {
  return value === undefined || value === "" ? [] : [{ name, value }];
}
