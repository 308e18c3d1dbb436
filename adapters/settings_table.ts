/**
 * The environment variables as one table: what each means, what is accepted, and how its text is read. From it come the
 * settings, the messages, and the list of names that is baked into the executable's permissions.
 */
import { SECRETS_MANAGERS } from "../mod/secrets/mapping.ts";
import { Secret } from "../mod/secrets/secret.ts";
import { PROVIDER_VARIABLES } from "./engine/pod/providers.ts";
import { anyText, oneOf, type Row, seconds, urlOf } from "./settings_row.ts";
import { INGESTION_ROWS } from "./settings_table_ingestion.ts";

const port = (text: string) => /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined;

/** Every variable that has an effect, a row each; most rows are named after the member of `Settings` that they fill. */
export const ROWS = {
  agentId: {
    name: "AGENT_ID",
    about: "the runner's name, as the catalogue lists it",
    accepts: "1 to 512 characters",
    read: (text) => text.length <= 512 ? text : undefined,
  },
  serverUrl: {
    name: "SERVER_URL",
    about: "the control plane",
    accepts: "wss://HOST[:PORT][/PATH], or ws:// without TLS",
    read: urlOf("ws:", "wss:"),
  },
  authToken: {
    name: "AUTH_TOKEN",
    about: "the runner's token (or AUTH_TOKEN_FILE)",
    accepts: "a JWT",
    fallback: "",
    isSecret: true,
    read: (text) => Secret.of(text.trim()),
  },
  authTokenFile: {
    name: "AUTH_TOKEN_FILE",
    about: "a file with the token; picked up anew when it changes",
    accepts: "a path",
    fallback: "",
    read: anyText,
  },
  secretsManager: {
    name: "SECRETS_MANAGER",
    about: "the provider that references are resolved with",
    accepts:
      "kubernetes, managed-aws, aws, managed-aws-ssm, aws-ssm, gcp, managed-azure-kv, azure-kv, vault, file or env",
    fallback: "kubernetes",
    read: oneOf(...SECRETS_MANAGERS),
  },
  secretsDir: {
    name: "SECRETS_DIR",
    about: "the folder of the provider `file`",
    accepts: "a path",
    fallback: "",
    read: anyText,
  },
  executor: {
    name: "EXECUTOR_TYPE",
    about: "the engine that runs jobs; without it, what the cluster offers",
    accepts: "argo, simpleK8s, local or auto",
    fallback: "auto",
    read: oneOf("argo", "simpleK8s", "local", "auto"),
  },
  stateDir: {
    name: "HYBRID_RUNNER_STATE_DIR",
    about: "the local engine's folder for pipelines, runs and logs",
    accepts: "a path",
    fallback: "",
    read: anyText,
  },
  reconnectDelaySeconds: {
    name: "RECONNECT_DELAY_SECONDS",
    about: "the base of the reconnect backoff",
    accepts: "seconds, 0.05 to 60",
    fallback: "1",
    read: seconds(0.05, 60),
  },
  maxConnectionSeconds: {
    name: "HYBRID_RUNNER_MAX_CONNECTION_SECONDS",
    about: "after this a connection is renewed (jittered by a tenth)",
    accepts: "seconds, 1 to 86400",
    fallback: "7200",
    read: seconds(1, 86_400),
  },
  shutdownGraceSeconds: {
    name: "HYBRID_RUNNER_SHUTDOWN_GRACE_SECONDS",
    about: "how long SIGTERM lets what is in hand go on",
    accepts: "seconds, 0 to 3600",
    fallback: "25",
    read: seconds(0, 3600),
  },
  objectLifeSeconds: {
    name: "ARGO_SECONDS_AFTER_COMPLETION_TTL",
    about: "how long an ended and acknowledged run's object is kept",
    accepts: "seconds, at least 600",
    fallback: "604800",
    read: (text) => /^\d+$/.test(text) && Number(text) >= 600 && Number(text) <= 31_536_000 ? Number(text) : undefined,
  },
  healthPort: {
    name: "HEALTH_PORT",
    about: "port of /livez, /readyz and /healthz; 0 takes a free one",
    accepts: "0 to 65535",
    fallback: "8585",
    read: port,
  },
  healthHost: {
    name: "HEALTH_HOST",
    about: "address that health is served on",
    accepts: "an IP address",
    fallback: "0.0.0.0",
    read: (text) => /^[0-9a-fA-F.:]+$/.test(text) ? text : undefined,
  },
  serverCaPath: {
    name: "SERVER_CA_PATH",
    about: "a PEM file with further certificate authorities for SERVER_URL",
    accepts: "a path",
    fallback: "",
    read: anyText,
  },
  clientCertificatePath: {
    name: "SERVER_CLIENT_CERTIFICATE_PATH",
    about: "a PEM file with our certificate, for mutual TLS",
    accepts: "a path",
    fallback: "",
    read: anyText,
  },
  clientKeyPath: {
    name: "SERVER_CLIENT_KEY_PATH",
    about: "a PEM file with its key",
    accepts: "a path",
    fallback: "",
    read: anyText,
  },
  logLevel: {
    name: "LOG_LEVEL",
    about: "what the log tells at least",
    accepts: "debug, info, warn or error",
    fallback: "info",
    read: (text) => oneOf("debug", "info", "warn", "error")(text.toLowerCase()),
  },
  logFormat: {
    name: "LOG_FORMAT",
    about: "JSON lines or readable ones; auto looks for a terminal",
    accepts: "json, pretty or auto",
    fallback: "auto",
    read: oneOf("json", "pretty", "auto"),
  },
  settingsFile: {
    name: "HYBRID_RUNNER_SETTINGS",
    about: "the YAML file for what is structured",
    accepts: "a path",
    fallback: "",
    read: anyText,
  },
  ...INGESTION_ROWS,
} as const satisfies Record<string, Row>;

/** Variables of the documented runner that this one has no use for, each with the reason. */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  DYNAMIC_INGESTION_VERSION_ENABLED:
    "the ingestion image is the one that INGESTION_IMAGE, the settings file or the job names, whatever the server's version",
  INGESTION_DISABLE_VERSION_VALIDATION:
    "the versions of runner, ingestion image and server are never compared, so there is nothing to turn off",
};

/** Variables that adapters read themselves: the cluster's place, and where providers of secrets are found. */
export const PLACE_VARIABLES = [
  ...["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_NAMESPACE", "POD_NAMESPACE"],
  ...PROVIDER_VARIABLES,
] as const;

/** Every variable that the program may read: the list that is baked into the executable's permissions. */
export const ENVIRONMENT: readonly string[] = [
  ...Object.values(ROWS).map((row) => row.name),
  ...Object.keys(WITHOUT_EFFECT),
  ...PLACE_VARIABLES,
  ...["HYBRID_RUNNER_DOCUMENT", "HYBRID_RUNNER_TERMINATION_LOG", "HYBRID_RUNNER_SECRET_*", "NO_COLOR"],
];
