/** Names that the pod, the engines and the tests agree on. */

/** The key of a document's Secret that holds it. */
export const DOCUMENT_KEY = "document";
/** The job's container in every pod. */
export const MAIN = "main";
/** Our init container, which resolves references. */
export const RESOLVE = "resolve";
/** Where our own image has its program: Argo asks a registry for the entry point of a container that names no command. */
export const PROGRAM = "/usr/local/bin/hybrid-runner";
/** Where the job finds its document, resolved; a folder of its own in memory. */
export const CONFIG_PATH = "/hybrid-runner/config";
/** The volume with the service account's token, where the pod as a whole gets none, and where it is mounted. */
export const API_TOKEN_VOLUME = "api-token";
/** Where every client library looks. */
export const API_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
/** The volume that carries the document: its Secret. */
export const DOCUMENT_VOLUME = "hybrid-runner-document";
/** The volume in memory that carries the resolved document. */
export const CONFIG_VOLUME = "hybrid-runner-config";
/** The volume at /tmp of a container whose root cannot be written. */
export const TMP_VOLUME = "hybrid-runner-tmp";
/** Volume names that the settings cannot take. */
export const OUR_VOLUMES: readonly string[] = [DOCUMENT_VOLUME, CONFIG_VOLUME, TMP_VOLUME, API_TOKEN_VOLUME];

/**
 * Where this runner's own image has its program. Said where the image is a job's: Argo would otherwise ask the registry
 * for the image's entrypoint, which an air-gapped cluster cannot.
 */
export const RUNNER_PROGRAM = "/usr/local/bin/hybrid-runner";

/** Folders of ours in the pod. */
export const MOUNTS = { config: "/hybrid-runner", document: "/hybrid-runner-document", token: API_TOKEN_PATH } as const;

/** Where a job may leave why it ended: what Kubernetes' default is. */
export const TERMINATION_LOG = "/dev/termination-log";
/** Where `resolve` does: with restricted permissions the program cannot write below /dev. */
export const RESOLVE_TERMINATION_LOG = `${MOUNTS.config}/termination-log`;

/** Variables of the job that nobody else may set. */
export const OUR_VARIABLES: readonly string[] = [
  "config",
  "pipelineType",
  "pipelineRunId",
  "HYBRID_RUNNER_CONFIG",
  "HYBRID_RUNNER_TERMINATION_LOG",
];
