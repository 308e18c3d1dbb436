/**
 * What thousands of runs cost: the compiled runner on a namespace with 500 live and 5,000 finished runs beside the same
 * on an empty one. From exec to the complete snapshot, and memory. Needs KUBECONFIG. The objects are made by the bench with
 * their statuses, which no controller touches; where there are simulated nodes (kwok, label type=kwok) the live runs' pods
 * are made to run by these.
 *
 *     deno run -A bench/cluster_snapshot.ts kubernetes|argo
 */
import { createClusterAccess } from "../adapters/cluster/access.ts";
import { findCluster } from "../adapters/cluster/config.ts";
import { systemClock } from "../adapters/clock.ts";
import { argoDialect } from "../adapters/engine/argo/dialect.ts";
import { PODS } from "../adapters/engine/cluster/kinds.ts";
import { runManifest } from "../adapters/engine/cluster/plans.ts";
import { kubernetesDialect } from "../adapters/engine/kubernetes/dialect.ts";
import { createJobPods } from "../adapters/engine/pod/pods.ts";
import { podSettings } from "../adapters/engine/pod/settings.ts";
import { readSettings } from "../adapters/settings.ts";
import { build } from "../tasks/build.ts";
import { PROGRAMS } from "../tasks/programs.ts";
import { createAnswering, token } from "./answering.ts";
import { say, verdict } from "./figures.ts";

const ENGINES = {
  kubernetes: { dialect: kubernetesDialect, executor: "simpleK8s" },
  argo: { dialect: argoDialect, executor: "argo" },
} as const;
const FINISHED = Number(Deno.env.get("BENCH_FINISHED") ?? 5000), LIVE = Number(Deno.env.get("BENCH_LIVE") ?? 500);
const AT_ONCE = 32;
const GOAL_MIB = 40;
const AGENT = "bench";

const kind = Deno.args[0] === "argo" ? "argo" : "kubernetes";
const { dialect, executor } = ENGINES[kind];
const signal = AbortSignal.timeout(30 * 60_000);
const config = await findCluster({ env: (name) => Deno.env.get(name) }, signal);
const access = createClusterAccess(config, { clock: systemClock, log: () => {}, random: { float: Math.random } });
const namespaces = { apiVersion: "v1", resource: "namespaces" };
const [empty, full] = ["empty", "full"].map((name) => `hr-bench-${name}-${crypto.randomUUID().slice(0, 8)}`);
const nodes: string[] = [];
for await (
  const { metadata } of access.list({ apiVersion: "v1", resource: "nodes" }, { labelSelector: "type=kwok" }, signal)
) {
  nodes.push(metadata.name);
}
const out = await Deno.makeTempDir({ prefix: "bench-" });
const server = createAnswering();
try {
  if (empty === undefined || full === undefined || PROGRAMS.runner === undefined) throw new Error("Cannot bench");
  for (const name of [empty, full]) await access.create(namespaces, { metadata: { name } }, signal);
  const { path } = await build(PROGRAMS.runner, out);
  const began = performance.now();
  await seed(full);
  const seconds = (performance.now() - began) / 1000;
  say(`${FINISHED + LIVE} runs made (${kind})`, `${seconds.toFixed(0)} s`, `${nodes.length} simulated nodes`);
  const idle = await measure(path, empty), busy = await measure(path, full);
  const more = busy.mib - idle.mib;
  say("", "empty", `${FINISHED + LIVE} runs`, "", "");
  say("exec to all known, ms", idle.listed.toFixed(0), busy.listed.toFixed(0));
  say("exec to complete snapshot, ms", idle.ms.toFixed(0), busy.ms.toFixed(0));
  say(
    "memory (VmRSS) at snapshot, MiB",
    idle.mib.toFixed(1),
    busy.mib.toFixed(1),
    "",
    verdict(more <= GOAL_MIB, `${GOAL_MIB} MiB more`),
  );
  say("highest (VmHWM), MiB", idle.peak.toFixed(1), busy.peak.toFixed(1));
} finally {
  for (const name of [empty, full]) {
    await access.delete({ ...namespaces, name: name ?? "" }, {}, signal).catch(() => {});
  }
  access.close();
  await server.close();
  await Deno.remove(out, { recursive: true });
}

/** The runs and their pods, as a cluster shows them that has run them. */
async function seed(namespace: string): Promise<void> {
  const environment: Record<string, string> = {
    ...{ AGENT_ID: AGENT, SERVER_URL: "ws://localhost", AUTH_TOKEN: "x", EXECUTOR_TYPE: executor },
    ...{ INGESTION_IMAGE: "bench/ingestion:1", HYBRID_RUNNER_IMAGE: "bench/runner:1" },
  };
  const env = (name: string) => environment[name];
  const { settings } = await readSettings(env);
  const pods = createJobPods(podSettings(settings, { engine: kind, namespace, env }));
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < FINISHED + LIVE; at = next++) await makeRun(at, at < LIVE);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));

  async function makeRun(at: number, isLive: boolean): Promise<void> {
    const runId = crypto.randomUUID(), received = new Date().toISOString();
    const pipelineId = `warehouse.pipeline-${at % 200}`;
    const job = {
      ...{ kind: "pipeline", pipelineId, name: pipelineId, type: "metadata", revision: 1, enabled: true } as const,
      maxActiveRuns: "unlimited" as const,
    };
    const manifest = runManifest({
      request: { runId, pipelineId, origin: "command", received },
      definition: { job, delivery: "inject" },
      ...{ revision: 1, documentSecret: "none", ownDocument: false, digest: "digest", accepted: received, held: false },
    }, { agentId: AGENT, dialect, pods });
    const target = { ...dialect.runs, namespace, name: manifest.metadata.name };
    if (kind === "argo") manifest.metadata.labels["workflows.argoproj.io/controller-instanceid"] = "bench";
    else manifest["spec"] = { ...Object(manifest["spec"]), managedBy: "bench.invalid/none" };
    await access.create({ ...dialect.runs, namespace }, manifest, signal);
    await writeStatus(target, isLive);
    await makePod(manifest.metadata.name, manifest.metadata.labels, isLive);
  }

  async function writeStatus(
    target: typeof PODS & { namespace: string; name: string },
    isLive: boolean,
  ): Promise<void> {
    const now = new Date().toISOString().replace(/\.\d+Z/, "Z");
    if (kind === "argo") {
      const status = isLive
        ? { phase: "Running", startedAt: now }
        : { phase: "Succeeded", startedAt: now, finishedAt: now, progress: "1/1" };
      return void await access.patch(target, { status }, signal);
    }
    const condition = (type: string) => ({
      type,
      status: "True",
      lastTransitionTime: now,
      reason: "CompletionsReached",
    });
    const status = isLive ? { startTime: now, active: 1, ready: 1, uncountedTerminatedPods: {} } : {
      ...{ startTime: now, completionTime: now, succeeded: 1, uncountedTerminatedPods: {} },
      conditions: [condition("SuccessCriteriaMet"), condition("Complete")],
    };
    await access.patch({ ...target, subresource: "status" }, { status }, signal);
  }

  async function makePod(name: string, labels: Record<string, string>, isLive: boolean): Promise<void> {
    const now = new Date().toISOString().replace(/\.\d+Z/, "Z");
    const onNode = isLive && nodes.length > 0 ? nodes[Math.floor(Math.random() * nodes.length)] : undefined;
    const owned = kind === "argo" ? "workflows.argoproj.io/workflow" : "batch.kubernetes.io/job-name";
    const metadata = { name, labels: { ...labels, [owned]: name } };
    const spec = {
      containers: [{ name: "main", image: "bench/ingestion:1", command: ["python", "main.py"] }],
      automountServiceAccountToken: false,
      restartPolicy: "Never",
      // Nobody schedules it: it is on a simulated node, or what it shows is what the bench says.
      schedulerName: "bench",
      ...onNode === undefined ? {} : { nodeName: onNode, tolerations: [{ operator: "Exists" }] },
    };
    await access.create({ ...PODS, namespace }, { metadata, spec }, signal);
    if (onNode !== undefined) return;
    const state = isLive
      ? { running: { startedAt: now } }
      : { terminated: { exitCode: 0, reason: "Completed", startedAt: now, finishedAt: now } };
    const container = { name: "main", image: "bench/ingestion:1", imageID: "x", ready: isLive, restartCount: 0, state };
    const status = { phase: isLive ? "Running" : "Succeeded", startTime: now, containerStatuses: [container] };
    await access.patch({ ...PODS, namespace, name, subresource: "status" }, { status }, signal);
  }
}

/** A start of the compiled runner until it has told its snapshot. */
async function measure(
  path: string,
  namespace: string,
): Promise<{ ms: number; listed: number; mib: number; peak: number }> {
  const began = performance.now();
  const child = new Deno.Command(path, {
    args: ["run"],
    clearEnv: true,
    env: {
      ...{ AGENT_ID: AGENT, SERVER_URL: server.url, AUTH_TOKEN: token(), HEALTH_PORT: "0", LOG_FORMAT: "json" },
      ...{ EXECUTOR_TYPE: executor, INGESTION_NAMESPACE: namespace, KUBECONFIG: Deno.env.get("KUBECONFIG") ?? "" },
    },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let text = "", listed: number | undefined;
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    text += part;
    listed ??= text.includes("engine.listed") ? performance.now() - began : undefined;
    if (text.includes("snapshot.runs")) break;
  }
  const ms = performance.now() - began;
  const status = await Deno.readTextFile(`/proc/${child.pid}/status`).catch(() => "");
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? NaN) / 1024;
  child.kill("SIGKILL");
  await child.status;
  if (!text.includes("snapshot.runs")) throw new Error(`The runner ended:\n${text.slice(-2000)}`);
  return { ms, listed: listed ?? NaN, mib: mib("VmRSS"), peak: mib("VmHWM") };
}
