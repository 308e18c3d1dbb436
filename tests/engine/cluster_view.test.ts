/** How runs stand: a table of what the cluster shows and what it means, and the laws that hold for whatever it shows. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ContainerFacts, PodFacts, RunFacts } from "../../adapters/engine/cluster/facts.ts";
import type { Marks } from "../../adapters/engine/cluster/marks.ts";
import { standingOf, viewOf } from "../../adapters/engine/cluster/view.ts";
import { isTerminal, Run } from "../../mod/run.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const AT = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:03Z"] as const;

function marks(more: Partial<Marks> = {}): Marks {
  return {
    ...{ pipelineId: "p", pipelineName: "P", pipelineHash: "hash", jobKind: "pipeline", type: "metadata", revision: 1 },
    ...{ origin: "command", maxActiveRuns: 1, retries: 0, acknowledged: false, removed: false },
    runId: "00000000-0000-4000-8000-000000000001",
    ...more,
  };
}

function run(more: Partial<RunFacts> = {}, marked: Partial<Marks> = {}): RunFacts {
  return {
    ...{ name: "run", uid: "uid", created: AT[0], deleting: false, phase: "running", shutdown: false },
    marks: marks(marked),
    ...more,
  };
}

function pod(more: Partial<PodFacts> = {}): PodFacts {
  return {
    ...{ name: "pod", uid: "pod-uid", created: AT[1], deleting: false, phase: "Running", others: [], image: "image:1" },
    ...more,
  };
}

const running: ContainerFacts = { name: "main", state: "running", startedAt: AT[1] };
function exited(exitCode: number, more: Partial<ContainerFacts> = {}): ContainerFacts {
  return { name: "main", state: "terminated", exitCode, startedAt: AT[1], finishedAt: AT[2], ...more };
}
const waiting = (reason: string, message = "why"): ContainerFacts => ({
  name: "main",
  state: "waiting",
  reason,
  message,
});
const failed = (main: ContainerFacts, more: Partial<PodFacts> = {}) => pod({ phase: "Failed", main, ...more });

const TABLE: readonly [seen: string, facts: RunFacts, pods: PodFacts[], state: string, code?: string][] = [
  ["nothing but the object", run({ phase: "pending" }), [], "queued"],
  ["it waits for its turn", run({ phase: "held" }), [], "queued", "WaitingForMutex"],
  ["its pod is being made", run(), [pod({ phase: "Pending" })], "queued"],
  ["its process runs", run(), [pod({ main: running })], "running"],
  ["its process ended well, whatever else says", run(), [pod({ main: exited(0) })], "success"],
  [
    "it said that it was a partial success",
    run(),
    [pod({ main: exited(0, { message: '{"state":"partialSuccess"}' }) })],
    "partialSuccess",
  ],
  ["it said so in other words", run(), [pod({ main: exited(0, { message: "partialSuccess" }) })], "success"],
  ["its process failed and no attempt remains", run(), [pod({ main: exited(3) })], "failed", "NonZeroExit"],
  ["one attempt failed, one remains", run({}, { retries: 1 }), [failed(exited(3))], "running", "Retrying"],
  [
    "the last attempt failed",
    run({}, { retries: 1 }),
    [failed(exited(3)), failed(exited(4), { name: "pod-2", created: AT[3] })],
    "failed",
    "NonZeroExit",
  ],
  [
    "the second attempt ended well",
    run({}, { retries: 1 }),
    [failed(exited(3)), pod({ name: "pod-2", created: AT[3], main: exited(0) })],
    "success",
  ],
  ["killed for memory", run(), [failed(exited(137, { reason: "OOMKilled" }))], "failed", "OOMKilled"],
  ["killed, and its pod has not said why", run(), [pod({ main: exited(137) })], "running"],
  [
    "killed past its deadline",
    run(),
    [failed(exited(137), { reason: "DeadlineExceeded" })],
    "failed",
    "DeadlineExceeded",
  ],
  ["evicted", run(), [failed(exited(137), { reason: "Evicted", message: "disk" })], "failed", "Evicted"],
  [
    "its image cannot be pulled",
    run(),
    [pod({ phase: "Pending", main: waiting("ErrImagePull") })],
    "queued",
    "ImagePullBackOff",
  ],
  ["no node takes it", run(), [pod({ phase: "Pending", unschedulable: "0/1 nodes" })], "queued", "Unschedulable"],
  [
    "its references were not resolved",
    run(),
    [pod({
      phase: "Failed",
      resolve: {
        name: "resolve",
        state: "terminated",
        exitCode: 1,
        message: '{"code":"denied","message":"Cannot read"}',
      },
      main: waiting("PodInitializing"),
    })],
    "failed",
    "SecretNotResolved",
  ],
  [
    "its document is wrong",
    run(),
    [pod({
      phase: "Failed",
      resolve: {
        name: "resolve",
        state: "terminated",
        exitCode: 2,
        message: '{"code":"invalid","message":"Cannot read"}',
      },
    })],
    "failed",
    "InvalidDocument",
  ],
  [
    "stopped while it waited: Argo calls that a success",
    run({ phase: "succeeded", shutdown: true }, { endedBy: "stop" }),
    [],
    "stopped",
    "Stopped",
  ],
  [
    "stopped by somebody with Argo's own tools",
    run({ phase: "failed", shutdown: true }),
    [pod({ main: exited(143) })],
    "stopped",
    "Stopped",
  ],
  ["stopped by us", run({}, { endedBy: "stop" }), [failed(exited(143))], "stopped", "Stopped"],
  ["stopped by us, and its process is still at it", run({}, { endedBy: "stop" }), [pod({ main: running })], "running"],
  [
    "stopped, the engine has done its part, and the process ignores it",
    run({ phase: "failed", shutdown: true }, { endedBy: "stop" }),
    [pod({ main: running })],
    "running",
  ],
  [
    "the same, and it was given up: it goes with its object",
    run({ phase: "failed", shutdown: true }, { endedBy: "stop", removed: true }),
    [pod({ main: running })],
    "stopped",
    "Stopped",
  ],
  ["stopped too late: it had ended well", run({}, { endedBy: "stop" }), [pod({ main: exited(0) })], "success"],
  ["ended by its deadline", run({}, { endedBy: "deadline" }), [failed(exited(143))], "failed", "DeadlineExceeded"],
  [
    "ended because nothing came of it",
    run({ phase: "failed" }, { endedBy: "ImagePullBackOff" }),
    [],
    "failed",
    "ImagePullBackOff",
  ],
  [
    "refused by admission",
    run({ phase: "failed", message: 'pods "x" is forbidden: violates PodSecurity "restricted:latest"' }),
    [],
    "failed",
    "AdmissionRefused",
  ],
  [
    "its service account is missing",
    run({ phase: "failed", message: 'error looking up service account a/b: serviceaccount "b" not found' }),
    [],
    "failed",
    "ServiceAccountMissing",
  ],
  [
    "the engine's word alone",
    run({ phase: "failed", reason: "BackoffLimitExceeded", message: "it says so" }),
    [],
    "failed",
    "BackoffLimitExceeded",
  ],
];

for (const [seen, facts, pods, state, code] of TABLE) {
  Deno.test({ name: `run: ${seen} → ${state}${code ? ` (${code})` : ""}`, ...safe }, () => {
    const standing = standingOf(facts, pods);
    assert.deepEqual([standing.state, standing.reason?.code], [state, code]);
    assert.doesNotThrow(() => Run.parse(viewOf(facts, standing)));
  });
}

const container = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom(running, waiting("ContainerCreating"), waiting("ImagePullBackOff")),
  fc.constantFrom(0, 1, 137, 143, 255).map((code) => exited(code)),
);
const anyPod = fc.record({
  name: fc.constantFrom("a", "b", "c"),
  created: fc.constantFrom(...AT),
  phase: fc.constantFrom("Pending", "Running", "Succeeded", "Failed"),
  main: container,
}).map(({ main, ...rest }) => pod({ ...rest, uid: crypto.randomUUID(), ...main ? { main } : {} }));
const anyRun = fc.record({
  phase: fc.constantFrom("held", "pending", "running", "succeeded", "failed"),
  shutdown: fc.boolean(),
  endedBy: fc.constantFrom(undefined, "stop", "deadline", "Unschedulable"),
  retries: fc.nat(2),
  removed: fc.boolean(),
}).map(({ phase, shutdown, endedBy, ...marked }) =>
  run({ phase, shutdown }, { ...marked, ...endedBy ? { endedBy } : {} })
);

Deno.test({ name: "run: laws that hold whatever the cluster shows", ...safe }, () => {
  fc.assert(fc.property(anyRun, fc.array(anyPod, { maxLength: 4 }), (facts, pods) => {
    const standing = standingOf(facts, pods);
    const isGood = standing.state === "success" || standing.state === "partialSuccess";
    const endedWell = pods.some(({ main }) => main?.state === "terminated" && main.exitCode === 0);
    const engineEnded = facts.phase === "succeeded" || facts.phase === "failed";
    // A good end needs a good exit, or the engine's own word.
    assert.ok(!isGood || endedWell || facts.phase === "succeeded");
    assert.ok(!endedWell || isGood, "a process that ended well is never told otherwise");
    // Nothing ends while a process runs, unless the engine itself says that all is over.
    const isRunning = pods.some(({ main, phase }) =>
      main?.state === "running" && phase !== "Failed" && phase !== "Succeeded"
    );
    assert.ok(!isTerminal(standing.state) || endedWell || engineEnded || !isRunning);
    // What was told to end lingers for as long as its process does, until it is given up.
    const mayLinger = isRunning && !facts.marks.removed && (facts.marks.endedBy !== undefined || facts.shutdown);
    if (engineEnded) assert.ok(isTerminal(standing.state) || mayLinger);
    if (standing.state === "stopped") assert.ok(facts.marks.endedBy === "stop" || facts.shutdown);
    if (standing.state === "failed") assert.ok(standing.reason);
    // The order in which the API server tells of pods means nothing.
    assert.deepEqual(standingOf(facts, pods.toReversed()).state, standing.state);
    const { times } = Run.parse(viewOf(facts, standing));
    const order = [times.received, times.accepted, times.created, times.started, times.finished].filter((at) => at);
    assert.deepEqual(order.toSorted(), order);
  }));
});
