/**
 * Log throughput of the cluster engines: a finished pod's log through the reader, beside `kubectl logs` on the same
 * pod. Needs KUBECONFIG and kubectl; works in a namespace of its own, which it deletes.
 */
import { createClusterAccess } from "../adapters/cluster/access.ts";
import { findCluster } from "../adapters/cluster/config.ts";
import { systemClock } from "../adapters/clock.ts";
import { podFacts } from "../adapters/engine/cluster/facts.ts";
import { PODS } from "../adapters/engine/cluster/kinds.ts";
import { readRunLog } from "../adapters/engine/cluster/logs/read.ts";
import { say, verdict } from "./figures.ts";

/** `localhost/busybox:local` is the testbed's; any image with a shell will do. */
const IMAGE = Deno.env.get("BENCH_IMAGE") ?? "localhost/busybox:local";
const LINES = Number(Deno.env.get("BENCH_LINES") ?? 600_000);
const ROUNDS = 3;
const GOAL = 0.8;
const TEXT =
  "2026-03-01 12:00:00,123 INFO  metadata.ingestion.source - table shop.public.orders: 42 columns, 997 rows, ok";
const SCRIPT = `yes "${TEXT}" | head -n ${LINES}`;

const signal = AbortSignal.timeout(10 * 60_000);
const config = await findCluster({ env: (name) => Deno.env.get(name) }, signal);
const access = createClusterAccess(config, { clock: systemClock, log: () => {}, random: { float: Math.random } });
const namespace = `hr-bench-${crypto.randomUUID().slice(0, 8)}`;
const pod = { ...PODS, namespace, name: "log" };

await access.create({ apiVersion: "v1", resource: "namespaces" }, { metadata: { name: namespace } }, signal);
try {
  await bench();
} finally {
  await access.delete({ apiVersion: "v1", resource: "namespaces", name: namespace }, {}, signal);
  access.close();
}

async function bench(): Promise<void> {
  const command = ["/bin/sh", "-c", SCRIPT];
  const main = { name: "main", image: IMAGE, imagePullPolicy: "IfNotPresent", command };
  const account = { automountServiceAccountToken: false, restartPolicy: "Never" };
  const body = { metadata: { name: "log" }, spec: { ...account, containers: [main] } };
  // The namespace's service account comes a moment later.
  for (
    let made = false;
    !made;
    made ||= await access.create({ ...PODS, namespace }, body, signal).then(() => true, () => false)
  ) {
    await systemClock.sleep(200, signal);
  }
  while ((await look()).pods[0]?.main?.state !== "terminated") await systemClock.sleep(500, signal);

  const theirs: number[] = [], ours: number[] = [], rss: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const seconds = [await kubectl(), await reader(rss)] as const;
    // The first round warms up.
    if (round === 0) continue;
    theirs.push(seconds[0]);
    ours.push(seconds[1]);
  }
  const megabytes = LINES * (TEXT.length + 1) / 1e6;
  const rates = [megabytes / median(theirs), megabytes / median(ours)] as const;
  const ratio = rates[1] / rates[0];
  say("", "kubectl", "this runner", "ratio", "goal");
  say(
    `pod log of ${megabytes.toFixed(0)} MB, MB/s`,
    ...[rates[0].toFixed(1), rates[1].toFixed(1), ratio.toFixed(2)],
    verdict(ratio >= GOAL, `≥ ${GOAL}`),
  );
  say("most RSS while reading, MiB", "", (Math.max(...rss) / 2 ** 20).toFixed(0));
}

async function look() {
  const facts = podFacts(await access.get(pod, signal));
  return { pods: facts ? [facts] : [], isOver: true };
}

/** Seconds until all of it came. */
async function kubectl(): Promise<number> {
  const began = performance.now();
  const args = ["logs", "-n", namespace, "log", "-c", "main"];
  const { success } = await new Deno.Command("kubectl", { args, stdout: "null", stderr: "inherit" }).output();
  if (!success) throw new Error("Cannot measure: kubectl logs failed");
  return (performance.now() - began) / 1000;
}

async function reader(rss: number[]): Promise<number> {
  const began = performance.now();
  let lines = 0, pieces = 0;
  const source = { runId: "bench", access, namespace, look, clock: systemClock, log: () => {} };
  for await (const piece of readRunLog(source, { follow: false }, signal)) {
    if (piece.kind === "lines") lines += piece.lines.length;
    if (++pieces % 100 === 0) rss.push(Deno.memoryUsage().rss);
  }
  if (lines !== LINES) throw new Error(`Cannot measure: ${lines} of ${LINES} lines came`);
  return (performance.now() - began) / 1000;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
