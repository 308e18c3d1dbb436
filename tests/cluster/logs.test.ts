/**
 * The log reader over real kubelets: whatever KUBECONFIG leads to, as an account that may make namespaces. CLUSTER_IMAGE
 * is an image with a shell. CLUSTER_RESTART may hold a command that restarts the API server.
 */
import assert from "node:assert/strict";
import { createClusterAccess } from "../../adapters/cluster/access.ts";
import { findCluster } from "../../adapters/cluster/config.ts";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import { systemClock } from "../../adapters/clock.ts";
import { podFacts } from "../../adapters/engine/cluster/facts.ts";
import { PODS } from "../../adapters/engine/cluster/kinds.ts";
import { readRunLog } from "../../adapters/engine/cluster/logs/read.ts";
import { isFault } from "../../mod/fault.ts";
import type { LogOptions } from "../../mod/ports.ts";
import { until } from "../wait.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const IMAGE = Deno.env.get("CLUSTER_IMAGE") ?? "localhost/busybox:local";
const RESTART = Deno.env.get("CLUSTER_RESTART");
const never = new AbortController().signal;
const patience = { patienceMs: 120_000, lookMs: 200 };

interface Bed {
  readonly access: ClusterAccess;
  readonly namespace: string;
  /** Attempts run one after the other; each is made when the test says so. */
  attempt(script: string): Promise<string>;
  delete(name: string): Promise<void>;
  isOver: boolean;
}

function test(name: string, run: (bed: Bed) => Promise<void>, ignore = false): void {
  Deno.test({ name: `cluster logs/real: ${name}`, ...safe, ignore, fn: () => within(run) });
}

async function within(run: (bed: Bed) => Promise<void>): Promise<void> {
  const config = await findCluster({ env: (name) => Deno.env.get(name) }, never);
  const access = createClusterAccess(config, { clock: systemClock, log: () => {}, random: { float: () => 0.5 } });
  const namespace = `hr-logs-${crypto.randomUUID().slice(0, 8)}`;
  const whole = { apiVersion: "v1", resource: "namespaces" };
  let count = 0;
  const bed: Bed = {
    ...{ access, namespace, isOver: false },
    async attempt(script) {
      const name = `attempt-${++count}`;
      const main = { name: "main", image: IMAGE, imagePullPolicy: "IfNotPresent", command: ["/bin/sh", "-c", script] };
      const spec = { restartPolicy: "Never", automountServiceAccountToken: false, containers: [main] };
      const create = () => access.create({ ...PODS, namespace }, { metadata: { name }, spec }, never);
      // The namespace's service account comes a moment later.
      await until("the pod is made", () => create().then(() => true), patience);
      return name;
    },
    async delete(name) {
      await access.delete({ ...PODS, namespace, name }, { gracePeriodSeconds: 0 }, never);
      const isGone = (error: unknown) => isFault(error, "not_found");
      await until(
        "the pod is gone",
        () => access.get({ ...PODS, namespace, name }, never).then(() => false, isGone),
        patience,
      );
    },
  };
  await access.create(whole, { metadata: { name: namespace } }, never);
  try {
    await run(bed);
  } finally {
    await access.delete({ ...whole, name: namespace }, {}, never);
    access.close();
  }
}

async function pods({ access, namespace }: Bed) {
  const facts = [];
  for await (const pod of access.list({ ...PODS, namespace }, {}, never)) facts.push(podFacts(pod));
  return facts.filter((pod) => pod !== undefined).toSorted((a, b) => a.name < b.name ? -1 : 1);
}

const ended = (bed: Bed, count: number) =>
  until("its container has ended", async () => {
    return (await pods(bed)).filter(({ main }) => main?.state === "terminated").length === count;
  }, patience);

async function read(bed: Bed, options: LogOptions, { most = Infinity, seen = (_lines: string[]) => {} } = {}) {
  const { access, namespace } = bed;
  const look = async () => ({ pods: await pods(bed), isOver: bed.isOver });
  const source = { runId: "r", access, namespace, look, clock: systemClock, log: () => {}, silenceMs: 5000 };
  const lines: string[] = [];
  let gaps = 0, cursor: string | undefined, reason: string | undefined;
  for await (const piece of readRunLog(source, options, AbortSignal.timeout(180_000))) {
    if (piece.kind === "gap") gaps++;
    else cursor = piece.cursor;
    if (piece.kind === "end") reason = piece.reason;
    if (piece.kind !== "lines") continue;
    lines.push(...piece.lines);
    seen(lines);
    if (lines.length >= most) break;
  }
  return { lines, gaps, cursor, reason };
}

const numbered = (count: number) => Array.from({ length: count }, (_, at) => `line ${at + 1}`);
const counting = (count: number, pause = "") =>
  `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo "line $i"; ${pause && `sleep ${pause};`} done`;

if (Deno.env.get("KUBECONFIG")) {
  test("a log is followed from before the pod is there, over two attempts, to its end", async (bed) => {
    const reading = read(bed, { follow: true });
    await bed.attempt(`echo begin; ${counting(10, "0.5")}; exit 1`);
    await ended(bed, 1);
    await bed.attempt("head -c 300000 /dev/zero | tr '\\0' x; echo; printf 'ö and \\303(\\n'; sleep 7; printf unended");
    await ended(bed, 2);
    bed.isOver = true;
    const { lines, gaps, reason } = await reading;
    const [long, odd, last] = lines.slice(11);
    assert.deepEqual(lines.slice(0, 11), ["begin", ...numbered(10)]);
    assert.match(long ?? "", /^x{262000,} \[cut: the line was longer than 256 KiB\]$/);
    assert.deepEqual([odd, last, lines.length, gaps, reason], ["ö and \uFFFD(", "unended", 14, 0, "finished"]);
  });

  test("a cursor resumes in a fast log that both streams write", async (bed) => {
    const both = 'echo "line $i"; echo "line $i" >&2';
    // The runtime may lose what a process writes in its last moment (seen of containerd): that is not what is tested.
    await bed.attempt(`${counting(20_000).replace('echo "line $i"', both)}; sleep 2`);
    const lines: string[] = [];
    let cursor: string | undefined;
    for (let most = 1; lines.length < 30_000; most += 700) {
      const part = await read(bed, { follow: true, ...cursor === undefined ? {} : { cursor } }, { most });
      assert.equal(part.gaps, 0);
      lines.push(...part.lines);
      cursor = part.cursor;
    }
    await ended(bed, 1);
    bed.isOver = true;
    const rest = await read(bed, { follow: true, ...cursor === undefined ? {} : { cursor } });
    lines.push(...rest.lines);
    assert.deepEqual(lines.toSorted(), [...numbered(20_000), ...numbered(20_000)].toSorted());
    assert.deepEqual((await read(bed, { follow: false })).lines, lines);
    assert.deepEqual((await read(bed, { follow: true, ...rest.cursor ? { cursor: rest.cursor } : {} })).lines, []);
  });

  test("a log that went with its pod is gone", async (bed) => {
    const name = await bed.attempt(counting(3));
    await ended(bed, 1);
    assert.deepEqual((await read(bed, { follow: false })).reason, "not-following");
    await bed.delete(name);
    bed.isOver = true;
    for (const follow of [true, false]) {
      const { lines, reason } = await read(bed, { follow });
      assert.deepEqual([lines, reason], [[], "gone"]);
    }
  });

  test("a restart of the API server costs no line", async (bed) => {
    await bed.attempt(counting(60, "0.5"));
    let isRestarted = false;
    const restart = async () => {
      isRestarted = true;
      const { success } = await new Deno.Command("/bin/sh", { args: ["-c", RESTART ?? ""], stdout: "null" }).output();
      assert(success, "CLUSTER_RESTART failed");
    };
    let restarting: Promise<void> | undefined;
    const reading = read(bed, { follow: true }, {
      seen: (lines) => {
        if (lines.length >= 10 && !isRestarted) restarting = restart();
      },
    });
    await ended(bed, 1);
    bed.isOver = true;
    await restarting;
    const { lines, gaps, reason } = await reading;
    assert.deepEqual([lines, gaps, reason], [numbered(60), 0, "finished"]);
  }, RESTART === undefined);
} else {
  Deno.test("cluster logs/real: a cluster", () => {
    throw new Error("Cannot test against a cluster: KUBECONFIG is not set; see tests/cluster/access.test.ts");
  });
}
