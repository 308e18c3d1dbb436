/**
 * How fast runs come into being: the engine's `start` of runs with their own document (a Job or Workflow, then its
 * Secret) beside a client-go program that creates the same objects at equal concurrency, in turn on the same cluster.
 * Needs KUBECONFIG, and the peer: `cd bench/create_peer && CGO_ENABLED=0 go build -o /tmp/create_peer .`
 *
 *     CREATE_PEER=/tmp/create_peer deno run -A bench/cluster_create.ts kubernetes|argo
 */
import { createClusterAccess } from "../adapters/cluster/access.ts";
import { findCluster } from "../adapters/cluster/config.ts";
import { systemClock } from "../adapters/clock.ts";
import { argoDialect } from "../adapters/engine/argo/dialect.ts";
import type { Dialect } from "../adapters/engine/cluster/dialect.ts";
import { createClusterEngine } from "../adapters/engine/cluster/engine.ts";
import { runManifest } from "../adapters/engine/cluster/plans.ts";
import { kubernetesDialect } from "../adapters/engine/kubernetes/dialect.ts";
import { createJobPods } from "../adapters/engine/pod/pods.ts";
import { podSettings } from "../adapters/engine/pod/settings.ts";
import { readSettings } from "../adapters/settings.ts";
import type { Job } from "../mod/job.ts";
import { say, verdict } from "./figures.ts";

const COUNT = 300, CONCURRENCY = 10, ROUNDS = 3, GOAL = 0.9;
const DOCUMENT_BYTES = 2048;
const AGENT = "bench";

const kind = Deno.args[0] === "argo" ? "argo" : "kubernetes";
const dialect: Dialect = inert(kind === "argo" ? argoDialect : kubernetesDialect);
const signal = AbortSignal.timeout(15 * 60_000);
const config = await findCluster({ env: (name) => Deno.env.get(name) }, signal);
const random = { float: Math.random };
const access = createClusterAccess(config, { clock: systemClock, log: () => {}, random });
const namespace = `hr-bench-${crypto.randomUUID().slice(0, 8)}`;
const namespaces = { apiVersion: "v1", resource: "namespaces" };
const environment: Record<string, string> = {
  ...{
    AGENT_ID: AGENT,
    SERVER_URL: "ws://localhost",
    AUTH_TOKEN: "x",
    EXECUTOR_TYPE: kind === "argo" ? "argo" : "simpleK8s",
  },
  ...{ INGESTION_IMAGE: "bench/ingestion:1", HYBRID_RUNNER_IMAGE: "bench/runner:1" },
};
const env = (name: string) => environment[name];
const { settings } = await readSettings(env);
const pods = createJobPods(podSettings(settings, { engine: kind, namespace, env }));

await access.create(namespaces, { metadata: { name: namespace } }, signal);
const template = await Deno.makeTempFile({ suffix: ".json" });
const engine = createClusterEngine({
  ...{ agentId: AGENT, access, namespace, dialect, pods, clock: systemClock, random, log: () => {} },
  ...{ ttlSeconds: 600, startDeadlineSeconds: 3600 },
});
try {
  await Deno.writeTextFile(template, templateText());
  const ours: number[] = [], theirs: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const rates = [await peer(round), await starts()] as const;
    // The first round warms up.
    if (round === 0) continue;
    theirs.push(rates[0]);
    ours.push(rates[1]);
  }
  const ratio = median(ours) / median(theirs);
  say(`${kind}: runs created a second`, "client-go", "the engine", "ratio", "goal");
  say(
    `${COUNT} runs, ${CONCURRENCY} at once`,
    median(theirs).toFixed(0),
    median(ours).toFixed(0),
    ratio.toFixed(2),
    verdict(ratio >= GOAL, `${GOAL} ×`),
  );
} finally {
  await engine.close();
  await access.delete({ ...namespaces, name: namespace }, {}, signal);
  await Deno.remove(template);
  access.close();
}

/** The same objects, that nobody acts upon: only creating is measured. */
function inert(dialect: Dialect): Dialect {
  return {
    ...dialect,
    // Else the engine would let go what is suspended here.
    hasMutex: true,
    run(plan) {
      const manifest = dialect.run(plan);
      manifest["spec"] = { ...Object(manifest["spec"]), suspend: true };
      manifest.metadata.labels["workflows.argoproj.io/controller-instanceid"] = "bench";
      return manifest;
    },
  };
}

function jobOf(pipelineId: string): Job {
  return {
    ...{ kind: "automation", pipelineId, name: pipelineId, type: "automation", revision: 0, enabled: true },
    ...{ maxActiveRuns: "unlimited", document: `# ${"x".repeat(DOCUMENT_BYTES)}\nname: ${pipelineId}\n` },
  };
}

/** What the engine writes, with names for the peer to fill in. */
function templateText(): string {
  const runId = crypto.randomUUID(), at = new Date().toISOString();
  const { definition } = pods.prepare(jobOf("bench"));
  const manifest = runManifest({
    request: { runId, pipelineId: "bench", origin: "command", received: at },
    ...{ definition, revision: 0, documentSecret: "NAME", ownDocument: true, digest: "d".repeat(64), accepted: at },
    held: false,
  }, { agentId: AGENT, dialect, pods });
  // Not the engine's own: it would have to watch them.
  manifest.metadata.labels = Object.fromEntries(
    Object.entries(manifest.metadata.labels).map((
      [key, value],
    ) => [key.replace("hybrid-runner.dev", "bench.dev"), value]),
  );
  return JSON.stringify({ ...manifest, metadata: { ...manifest.metadata, name: "NAME" } });
}

async function peer(round: number): Promise<number> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.env.get("CREATE_PEER") ?? "/tmp/create_peer", {
    args: [
      ...["-namespace", namespace, "-template", template, "-count", String(COUNT)],
      ...["-concurrency", String(CONCURRENCY), "-prefix", `peer-${round}`, "-secret-bytes", String(DOCUMENT_BYTES)],
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { count, seconds } = JSON.parse(new TextDecoder().decode(stdout));
  return count / seconds;
}

async function starts(): Promise<number> {
  const began = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    while (next++ < COUNT) {
      const pipelineId = crypto.randomUUID();
      const job = jobOf(pipelineId);
      const request = { runId: crypto.randomUUID(), pipelineId, origin: "command" as const, job };
      await engine.start({ ...request, received: new Date().toISOString() }, signal);
    }
  }));
  return COUNT / ((performance.now() - began) / 1000);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
