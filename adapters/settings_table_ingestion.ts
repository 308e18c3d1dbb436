/** The variables of the jobs' pods, and of the engines that make them: part of the settings' table. */
import { Secret } from "../mod/secrets/secret.ts";
import { parseExtraEnv } from "./engine/pod/extra_env.ts";
import { parseImage } from "./engine/pod/image.ts";
import { OUR_VARIABLES } from "./engine/pod/names.ts";
import { isDnsLabel, isName, isQuantity } from "./engine/pod/words.ts";
import { anyText, bool, matching, type Row, seconds, urlOf } from "./settings_row.ts";

/** One variable of the jobs' pods with its value, which may be a password. */
export interface ExtraEnv {
  name: string;
  value: Secret;
}

/** A row each; most are named after the member of `Settings` that they fill. */
export const INGESTION_ROWS = {
  serverHostApiUrl: {
    name: "SERVER_HOST_API_URL",
    about: "the catalogue's REST API, as jobs are told it",
    accepts: "https://HOST[:PORT][/PATH] or http://…",
    fallback: "",
    read: urlOf("http:", "https:"),
  },
  argoPipelineTypes: pipelineTypes("ARGO"),
  kubernetesPipelineTypes: pipelineTypes("SIMPLEK8S"),
  ingestionServiceAccount: {
    name: "INGESTION_SERVICE_ACCOUNT_NAME",
    about: "the service account of jobs",
    accepts: "a Kubernetes name",
    fallback: "ingestion",
    read: matching(isName),
  },
  ingestionNamespace: {
    name: "INGESTION_NAMESPACE",
    about: "the namespace that jobs run in; without it, the runner's own",
    accepts: "a namespace's name",
    fallback: "",
    read: matching(isDnsLabel),
  },
  secretsNamespace: {
    name: "SECRETS_NAMESPACE",
    about: "the namespace of the Secrets that references name; without it, the jobs' own",
    accepts: "a namespace's name",
    fallback: "",
    read: matching(isDnsLabel),
  },
  ingestionImage: image("INGESTION_IMAGE", "OpenMetadata's ingestion image"),
  runnerImage: image("HYBRID_RUNNER_IMAGE", "this runner's own image, which resolves references in the job's pod"),
  imagePullSecrets: {
    name: "INGESTION_IMAGE_PULL_SECRETS",
    about: "the Secrets that jobs' images are pulled with",
    accepts: "names with commas between them",
    fallback: "",
    read: (text) => {
      const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
      return names.every(isName) ? names : undefined;
    },
  },
  automountToken: {
    name: "INGESTION_AUTOMOUNT_SA_TOKEN",
    about: "whether a job's container gets its service account's token",
    accepts: "true or false",
    fallback: "false",
    read: bool,
  },
  extraEnvs: {
    name: "INGESTION_EXTRA_ENVS",
    about: "variables of every job",
    accepts: `[name:value,name:value], but for ${OUR_VARIABLES.join(", ")}, which the runner sets`,
    fallback: "",
    isSecret: true,
    read: extraEnvs,
  },
  cpuLimit: quantity("CPU_LIMIT", "1000m"),
  memoryLimit: quantity("MEMORY_LIMIT", "4096Mi"),
  cpuRequest: quantity("CPU_REQUEST", "1000m"),
  memoryRequest: quantity("MEMORY_REQUEST", "4096Mi"),
  automationCpuLimit: quantity("AUTOMATION_WORKFLOW_CPU_LIMIT", "500m"),
  automationMemoryLimit: quantity("AUTOMATION_WORKFLOW_MEMORY_LIMIT", "512Mi"),
  automationCpuRequest: quantity("AUTOMATION_WORKFLOW_CPU_REQUEST", "200m"),
  automationMemoryRequest: quantity("AUTOMATION_WORKFLOW_MEMORY_REQUEST", "256Mi"),
  containerSpecPath: path("ARGO_INGESTION_CONTAINER_SPEC_FILE_PATH", "a file with fields for the jobs' container"),
  workflowSpecPath: path("ARGO_INGESTION_WORKFLOW_SPEC_FILE_PATH", "a file with fields of a Workflow's spec"),
  startDeadlineSeconds: {
    name: "HYBRID_RUNNER_START_DEADLINE_SECONDS",
    about: "how long a job's pod may fail to start before its run is ended",
    accepts: "seconds, 1 to 86400",
    fallback: "600",
    read: seconds(1, 86_400),
  },
  argoServerUrl: {
    name: "PIPELINE_SERVICE_CLIENT_ENDPOINT",
    about: "the Argo Server, for health and archived runs",
    accepts: "https://HOST[:PORT][/PATH] or http://…",
    fallback: "",
    read: urlOf("http:", "https:"),
  },
  argoToken: {
    name: "ARGO_TOKEN",
    about: "the token for the Argo Server",
    accepts: "a token",
    fallback: "",
    isSecret: true,
    read: (text) => Secret.of(text.trim()),
  },
  argoServerCertificatePath: path("ARGO_SERVER_CERTIFICATE_PATH", "a PEM file with the Argo Server's authority"),
  argoTestBackoffSeconds: {
    name: "ARGO_TEST_CONNECTION_BACKOFF_TIME",
    about: "the wait between two looks for the Argo Server",
    accepts: "seconds, 0 to 3600",
    fallback: "",
    read: seconds(0, 3600),
  },
} as const satisfies Record<string, Row>;

function extraEnvs(text: string): ExtraEnv[] | undefined {
  const variables = parseExtraEnv(text);
  if (variables?.some(([name]) => OUR_VARIABLES.includes(name))) return undefined;
  return variables?.map(([name, value]) => ({ name, value: Secret.of(value) }));
}

function pipelineTypes(engine: string): Row {
  return {
    name: `${engine}_PIPELINE_TYPE_CONFIGS`,
    about: "what the pods of each pipeline type are",
    accepts: "a JSON object, keyed by pipeline type, default, pipeline, automation or application",
    fallback: "",
    // It may hold variables with passwords.
    isSecret: true,
    read: jsonObject,
  };
}

function image(name: string, about: string): Row {
  const accepts = "[HOST[:PORT]/]PATH[:TAG][@DIGEST]";
  return { name, about, accepts, fallback: "", read: matching((text) => parseImage(text) !== undefined) };
}

function quantity(name: string, fallback: string): Row {
  const [what, kind] = name.replace("AUTOMATION_WORKFLOW_", "").toLowerCase().split("_");
  const whose = name.startsWith("AUTOMATION") ? "automations (a connection test)" : "jobs";
  return {
    name: `INGESTION_${name}`,
    about: `the ${what} ${kind} of ${whose}`,
    accepts: "a Kubernetes quantity, such as 500m or 512Mi",
    fallback,
    read: matching(isQuantity),
  };
}

function path(name: string, about: string): Row {
  return { name, about, accepts: "a path", fallback: "", read: anyText };
}

/** Its members are checked with those of the settings file. */
function jsonObject(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
