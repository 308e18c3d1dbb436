/** `hybrid-runner plan`: what a job would become in the cluster, without touching it. */
import { parseArgs } from "node:util";
import { parseDocument, stringify } from "yaml";
import { argoDialect } from "../adapters/engine/argo/dialect.ts";
import { documentSecret, documentSecretOf, revisionManifest } from "../adapters/engine/cluster/deployments.ts";
import type { Dialect } from "../adapters/engine/cluster/dialect.ts";
import type { Manifest } from "../adapters/engine/cluster/manifest.ts";
import { pipelineLabels } from "../adapters/engine/cluster/marks.ts";
import { requestDigest, runManifest, scheduleManifest } from "../adapters/engine/cluster/plans.ts";
import { kubernetesDialect } from "../adapters/engine/kubernetes/dialect.ts";
import { createJobPods } from "../adapters/engine/pod/pods.ts";
import type { JobPods } from "../adapters/engine/pod/port.ts";
import { podSettings } from "../adapters/engine/pod/settings.ts";
import { problemsOf } from "../adapters/problems.ts";
import { readSettings, type Settings } from "../adapters/settings.ts";
import { contentDigest } from "../mod/digest.ts";
import { asFault, Fault, reasonOf } from "../mod/fault.ts";
import { Job } from "../mod/job.ts";
import { runName } from "../mod/names.ts";
import type { Io } from "./resolve.ts";

const HELP = `Usage: hybrid-runner plan FILE [options]

Prints the objects that a job (YAML or JSON, as the protocol carries it) would become, by the settings of the environment
as "run" reads them. Nothing is asked of the cluster. What only the cluster knows (uids, times) stands as zeros.

Options:
  --engine ENGINE   argo or kubernetes                                    [what EXECUTOR_TYPE says]
  --show-document   the document as its Secret would carry it             [***]
  --json            one List in JSON instead of YAML documents
  --help            this text

Exit codes:
  0  printed
  2  bad usage, settings or job; the message names the field
`;

const DIALECTS: Readonly<Record<string, Dialect>> = { argo: argoDialect, kubernetes: kubernetesDialect };
const ENGINES: Readonly<Record<string, string>> = { argo: "argo", simpleK8s: "kubernetes" };
const NO_UID = "00000000-0000-0000-0000-000000000000";
const NO_TIME = "1970-01-01T00:00:00.000Z";

/** Runs the command and answers its exit code. */
export async function planCommand(args: string[], io: Io): Promise<number> {
  try {
    const usage = usageOf(args);
    if (usage.help) {
      io.stdout(HELP);
      return 0;
    }
    const job = await readJob(usage.path);
    // The link to the control plane plays no part here.
    const env = (name: string) => io.env(name) || UNNEEDED[name];
    const { settings } = await readSettings(env);
    const dialect = dialectOf(usage.engine, settings);
    const namespace = settings.ingestionNamespace ?? (env("POD_NAMESPACE") || env("KUBERNETES_NAMESPACE") || "default");
    const pods = createJobPods(podSettings(settings, { engine: dialect.engine, namespace, env }));
    const items = manifestsOf(job, { agentId: settings.agentId, dialect, pods }, usage.showDocument)
      .map((manifest) => ({ ...manifest, metadata: { ...manifest.metadata, namespace } }));
    io.stdout(
      usage.json
        ? `${JSON.stringify({ apiVersion: "v1", kind: "List", items }, undefined, 2)}\n`
        : items.map((item) => `---\n${stringify(item, { lineWidth: 0, aliasDuplicateObjects: false })}`).join(""),
    );
    return 0;
  } catch (error) {
    const { code, message, details: { path } } = asFault(error, "plan the job");
    if (args.includes("--json")) io.stdout(`${JSON.stringify({ ok: false, code, path, message })}\n`);
    io.stderr(`${path === undefined ? code : `${code} (${path})`}: ${message}\n`);
    return code === "internal" ? 1 : 2;
  }
}

const UNNEEDED: Readonly<Record<string, string>> = { SERVER_URL: "wss://plan.invalid", AUTH_TOKEN: "none" };

interface Usage {
  path: string;
  engine: string | undefined;
  showDocument: boolean;
  json: boolean;
  help: boolean;
}

function usageOf(args: string[]): Usage {
  const { values, positionals } = optionsIn(args);
  const [path = "", ...more] = positionals, help = values.help ?? false;
  if (!help && (path === "" || more.length > 0)) {
    throw new Fault("invalid", "Cannot plan: name one file with a job", { path: "FILE" });
  }
  if (values.engine !== undefined && !Object.hasOwn(DIALECTS, values.engine)) {
    throw new Fault("invalid", "Cannot plan: --engine wants argo or kubernetes", { path: "engine" });
  }
  return {
    path,
    engine: values.engine,
    showDocument: values["show-document"] ?? false,
    json: values.json ?? false,
    help,
  };
}

function optionsIn(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        engine: { type: "string" },
        "show-document": { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new Fault("invalid", `Cannot understand the options: ${reasonOf(error)}`, { cause: error });
  }
}

async function readJob(path: string): Promise<Job> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw new Fault("invalid", `Cannot read the job ${path}: ${reasonOf(error)}`, { path: "FILE", cause: error });
  }
  // The library's pretty errors would quote the file, which holds a document.
  const document = parseDocument(text, { prettyErrors: false });
  const [wrong] = document.errors;
  if (wrong) {
    const reason = `it is no YAML (${wrong.code} at character ${wrong.pos[0]})`;
    throw new Fault("invalid", `Cannot read the job ${path}: ${reason}`, { path: "FILE" });
  }
  const read = Job.safeParse(document.toJS());
  if (read.success) return read.data;
  const [first] = read.error.issues;
  throw new Fault("invalid", `Cannot use the job ${path}: ${problemsOf(read.error).join("; ")}`, {
    path: first?.path.map(String).join(".") || "FILE",
  });
}

function dialectOf(engine: string | undefined, { executor }: Settings): Dialect {
  const dialect = DIALECTS[engine ?? ENGINES[executor] ?? ""];
  if (dialect) return dialect;
  const reason = `EXECUTOR_TYPE is ${executor}, which says no cluster engine; pass --engine argo or kubernetes`;
  throw new Fault("invalid", `Cannot plan: ${reason}`, { path: "engine" });
}

/** In the order in which they would be made. */
function manifestsOf(
  job: Job,
  options: { agentId: string; dialect: Dialect; pods: JobPods },
  showDocument: boolean,
): Manifest[] {
  const { agentId, pods } = options;
  const { pipelineId, revision, enabled } = job;
  const prepared = pods.prepare(job), { definition } = prepared;
  const document = showDocument ? prepared.document : "***";
  const secret = (name: string, owner: Manifest) => {
    const { apiVersion, kind, metadata } = owner;
    const reference = { apiVersion, kind, name: metadata.name, uid: NO_UID };
    return documentSecret(name, reference, pipelineLabels(agentId, pipelineId), document);
  };
  const run = (documentSecret: string, ownJob: { job?: Job }) => {
    const request = { runId: NO_UID, pipelineId, origin: "command" as const, received: NO_TIME, ...ownJob };
    const digest = requestDigest(agentId, request), ownDocument = ownJob.job !== undefined;
    const asked = {
      request,
      definition,
      revision,
      documentSecret,
      ownDocument,
      digest,
      accepted: NO_TIME,
      held: false,
    };
    return runManifest(asked, options);
  };
  if (job.kind !== "pipeline") {
    const name = `${runName(agentId, NO_UID)}-${contentDigest(agentId, NO_UID, NO_TIME).slice(0, 8)}`;
    const object = run(name, { job });
    return [object, secret(name, object)];
  }
  const revisionObject = revisionManifest(agentId, job, definition, contentDigest(agentId, pipelineId, job));
  const deployment = { name: revisionObject.metadata.name, uid: NO_UID, revision, enabled, definition };
  const schedule = scheduleManifest(deployment, options);
  const name = documentSecretOf(deployment);
  return [revisionObject, secret(name, revisionObject), ...schedule ? [schedule] : [], run(name, {})];
}
