/** Pods that fail, for real: what is told of each, and how many seconds after the cluster itself knew. */
import assert from "node:assert/strict";
import type { ApiObject } from "../../../adapters/cluster/target.ts";
import { podFacts } from "../../../adapters/engine/cluster/facts.ts";
import { JOBS, WORKFLOWS } from "../../../adapters/engine/cluster/kinds.ts";
import { runName } from "../../../mod/names.ts";
import type { Job } from "../../../mod/job.ts";
import type { Run } from "../../../mod/run.ts";
import { jobOf, openRunner, scriptRow, type TestRunner } from "./runner.ts";
import { worlds } from "./worlds.ts";
import { openWitness, type Witness } from "./witness.ts";
import type { World } from "../world.ts";

/** How long the runner may take once the cluster knows, seconds. */
const BUDGET_SECONDS = 10;
const IMPATIENT_SECONDS = 40;
const GRANTED = "granted";

/** One way to fail. */
interface Case {
  row: Record<string, unknown>;
  job?: Partial<Job>;
  /** Where the cluster says it: a pod; an event about pod or run, else the run's object itself; or the clock. */
  knows: { pod: (pod: ApiObject) => boolean } | { said: RegExp } | { secondsAfterStart: number };
  /** The code of the note, where the run is ended only by its start deadline; else of the end. */
  code: string;
  says: RegExp;
  /** What else must be true of the end. */
  check?: (run: Run, world: World) => void;
  /** Ended by the start deadline, after a note. */
  waits?: true;
  /** Argo's own process starts whatever the command is, and ends with 64 where there is none. */
  only?: "kubernetes";
}

const main = (fits: (main: { reason?: string; exitCode?: number }) => boolean) => ({
  pod: (pod: ApiObject) => {
    const { main } = podFacts(pod) ?? {};
    return main?.state === "terminated" && fits(main);
  },
});

const CASES: Readonly<Record<string, Case>> = {
  // Argo's own process in the container would not begin below some 40Mi.
  OOMKilled: {
    row: scriptRow("echo 'before the end'; exec tail /dev/zero", { resources: { limits: { memory: "64Mi" } } }),
    knows: main(({ reason }) => reason === "OOMKilled"),
    code: "OOMKilled",
    says: /needed more memory than its limit \(exit code 137\); raise its memory limit/,
    check: ({ diagnostics }) => {
      assert.equal(diagnostics?.exitCode, 137);
      assert.ok(diagnostics?.lastLines?.includes("before the end"), JSON.stringify(diagnostics));
    },
  },
  ImagePullBackOff: {
    row: { ...scriptRow("true"), image: "localhost/none:none" },
    knows: { pod: (pod) => /ErrImagePull|ImagePullBackOff/.test(JSON.stringify(pod.status)) },
    code: "ImagePullBackOff",
    says: /localhost\/none:none.*look at the image's name, the registry and the pull secrets/,
    check: ({ diagnostics }) => assert.equal(diagnostics?.facts?.image, "localhost/none:none"),
    waits: true,
  },
  Unschedulable: {
    row: scriptRow("true", { resources: { requests: { cpu: "1000" }, limits: { cpu: "1000" } } }),
    knows: { pod: (pod) => /"reason":"Unschedulable"/.test(JSON.stringify(pod.status)) },
    code: "Unschedulable",
    says: /No node takes the pod: .*Insufficient cpu/,
    waits: true,
  },
  SecretMissing: {
    row: scriptRow("true", {
      volumes: [{ name: "ca", secret: { secretName: "no-such-secret" } }],
      volumeMounts: [{ name: "ca", mountPath: "/ca" }],
    }),
    knows: { said: /^FailedMount: .*no-such-secret/ },
    code: "SecretMissing",
    says: /A Secret that the pod mounts does not exist: .*no-such-secret/,
    waits: true,
  },
  ServiceAccountMissing: {
    row: scriptRow("true"),
    job: { serviceAccount: "nobody-here" },
    knows: { said: /serviceaccount \W*nobody-here/ },
    code: "ServiceAccountMissing",
    says: /service account does not exist; create it, or set INGESTION_SERVICE_ACCOUNT_NAME: .*nobody-here/,
  },
  NonZeroExit: {
    row: scriptRow("i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i; done; exit 7"),
    knows: main(({ exitCode }) => exitCode === 7),
    code: "NonZeroExit",
    says: /exit code 7/,
    check: ({ diagnostics }) => {
      assert.equal(diagnostics?.exitCode, 7);
      const { lastLines = [] } = diagnostics ?? {};
      // Argo's own process has the last words in the log.
      assert.ok(lastLines.length === 20 && lastLines.slice(-4).includes("line 30"), JSON.stringify(lastLines));
    },
  },
  Evicted: {
    row: scriptRow("dd if=/dev/zero of=/spool/file bs=1M count=20; sleep 300", {
      volumes: [{ name: "spool", emptyDir: { sizeLimit: "1Mi" } }],
      volumeMounts: [{ name: "spool", mountPath: "/spool" }],
    }),
    knows: { pod: (pod) => podFacts(pod)?.reason === "Evicted" },
    code: "Evicted",
    says: /The kubelet of node \S+ evicted the pod: .*"spool" exceeds the limit "1Mi"/,
    check: ({ diagnostics }) => assert.equal(diagnostics?.facts?.podReason, "Evicted"),
  },
  DeadlineExceeded: {
    row: scriptRow("trap 'exit 143' TERM; sleep 300 & wait"),
    job: { deadlineSeconds: 20 },
    knows: { secondsAfterStart: 20 },
    code: "DeadlineExceeded",
    says: /took longer than its deadline/,
  },
  SecretNotResolved: {
    row: scriptRow("true"),
    job: { document: JSON.stringify({ good: "secret:/granted", password: "secret:/not/granted" }) },
    knows: { pod: (pod) => podFacts(pod)?.resolve?.state === "terminated" },
    code: "SecretNotResolved",
    says: /secret:\/not\/granted/,
    check: ({ reason, diagnostics }, { namespace }) => {
      const { message = "" } = reason ?? {};
      assert.ok(message.includes(`system:serviceaccount:${namespace}:ingestion may not get the Secret "not-granted"`));
      assert.match(message, /Role|rule/);
      assert.ok(diagnostics?.facts?.pod);
    },
  },
  CannotStart: {
    row: { ...scriptRow("true"), command: ["/no/such/program"] },
    knows: main(({ reason }) => /StartError|ContainerCannotRun/.test(reason ?? "")),
    only: "kubernetes",
    code: "CannotStart",
    says: /command cannot be started: .*no\/such\/program/,
  },
};

worlds("failing pods are told with their reason", { secretNames: [GRANTED], seconds: 170 }, async (world) => {
  await world.createSecret(GRANTED, { value: "it came" });
  const cases = Object.entries(CASES).filter(([, { only = world.engine }]) => only === world.engine);
  const { apiVersion, resource } = world.engine === "argo" ? WORKFLOWS : JOBS;
  const witness = openWitness(world, [world.at("pods"), world.at("events"), world.at(resource, apiVersion)]);
  const rows = Object.fromEntries(cases.map(([type, { row }]) => [type, row]));
  const [patient, impatient] = await Promise.all([
    openRunner(world, { rows }),
    openRunner(world, { rows, env: { HYBRID_RUNNER_START_DEADLINE_SECONDS: String(IMPATIENT_SECONDS) } }),
  ]);
  try {
    const outcomes = await Promise.allSettled(
      cases.map(([type, each]) => tell(world, witness, each.waits ? impatient : patient, type, each)),
    );
    const table = outcomes.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
    // deno-lint-ignore no-console
    console.log(`${world.engine}: seconds from the cluster's knowing to our telling: ${table.join(", ")}`);
    const failed = outcomes.flatMap((each) => each.status === "rejected" ? [String(each.reason)] : []);
    assert.deepEqual(failed, [], failed.join("\n"));
  } finally {
    await Promise.all([patient.close(), impatient.close(), witness.close()]);
  }
});

async function tell(
  world: World,
  witness: Witness,
  runner: TestRunner,
  type: string,
  { job, knows, code, says, check, waits }: Case,
): Promise<string> {
  const runId = await runner.run(jobOf(type, job));
  const name = runName(runner.agentId, runId);
  const told = await runner.heard(runId, `word of ${code}`, ({ reason }) => reason?.code === code);
  const end = await runner.end(runId);
  const { state, reason } = end.run;
  assert.deepEqual([state, reason?.code], ["failed", code], JSON.stringify(end.run));
  assert.match(reason?.message ?? "", says, type);
  if (waits) {
    assert.equal(told.run.state, "queued", `${type}: a note comes before the end`);
    assert.match(told.run.reason?.message ?? "", says);
    assert.match(reason?.message ?? "", new RegExp(`not started within ${IMPATIENT_SECONDS} s`));
  }
  check?.(end.run, world);
  const known = knownAt(knows, witness, runner, name);
  assert.ok(known, `${type}: the cluster never said so: ${JSON.stringify(end.run)}`);
  const seconds = Math.max(0, told.at - known) / 1000;
  assert.ok(seconds <= BUDGET_SECONDS, `${type}: told ${seconds} s after the cluster knew`);
  return `${type} ${seconds.toFixed(1)}${waits ? " (note)" : ""}`;
}

/** When the test's own watches had it, milliseconds. */
function knownAt(knows: Case["knows"], witness: Witness, { dialect }: TestRunner, name: string): number | undefined {
  const ofRun = (pod: ApiObject) => dialect.runOf(pod) === name;
  if ("pod" in knows) return witness.first("pods", (pod) => ofRun(pod) && knows.pod(pod))?.at;
  if ("secondsAfterStart" in knows) {
    const pod = witness.first("pods", (pod) => ofRun(pod) && podFacts(pod)?.startTime !== undefined)?.object;
    return Date.parse(pod && podFacts(pod)?.startTime || "") + knows.secondsAfterStart * 1000;
  }
  const event = witness.first("events", (event) => isAbout(event, name) && knows.said.test(spoken(event)));
  const run = witness.first(
    dialect.runs.resource,
    ({ metadata, status }) => metadata.name === name && knows.said.test(JSON.stringify(status)),
  );
  return (event ?? run)?.at;
}

/** The run's object, or a pod of it: all their names begin with the run's. */
function isAbout(event: ApiObject, name: string): boolean {
  const { involvedObject } = event as { involvedObject?: { name?: string } };
  return involvedObject?.name?.startsWith(name) ?? false;
}

function spoken(event: ApiObject): string {
  const { reason, message } = event as { reason?: string; message?: string };
  return `${reason}: ${message?.replace(/\s+/g, " ")}`;
}
