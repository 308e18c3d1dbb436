/** The fake cluster's Jobs, CronJobs, pods and logs act as Kubernetes' do. */
import assert from "node:assert/strict";
import { CRON_JOBS, JOBS, PODS, SECRETS } from "../../adapters/engine/cluster/kinds.ts";
import { parseSchedule } from "../../mod/schedule.ts";
import type { CronJob, Job, Pod } from "../fakes/cluster/objects.ts";
import type { Trouble } from "../fakes/cluster/troubles.ts";
import { test } from "../limited.ts";
import { until } from "../wait.ts";
import { cronJob, job } from "./fake_cluster_manifests.ts";
import { inCluster, type Scene } from "./fake_cluster_scene.ts";

const WHOLE_SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const condition = ({ status }: Job | Pod, type: string) => status.conditions?.find((one) => one.type === type);
const ended = (scene: Scene, name: string, type: "Complete" | "Failed") =>
  scene.becomes<Job>(JOBS, name, `is ${type}`, (object) => condition(object, type)?.status === "True");
const running = (scene: Scene, owner: string) =>
  until(
    `a pod of ${owner} runs`,
    async () => (await scene.pods(owner)).find(({ status }) => status.phase === "Running"),
  );
const mainOf = (pod: Pod | undefined) => pod?.status.containerStatuses?.find(({ name }) => name === "main")?.state;

test("fake cluster: a Job runs its pod and completes", () =>
  inCluster(async (scene) => {
    await scene.create(JOBS, job("good", { does: "print", lines: 3, everyMs: 20 }));
    const done = await ended(scene, "good", "Complete");
    assert.equal(condition(done, "SuccessCriteriaMet")?.status, "True");
    assert.match(String(done.status.startTime), WHOLE_SECONDS);
    assert.match(done.metadata.creationTimestamp, WHOLE_SECONDS);
    assert.equal(done.status.succeeded, 1);
    const [pod, ...others] = await scene.pods("good");
    assert.deepEqual(others, []);
    assert.match(String(pod?.metadata.name), /^good-[a-z0-9]{5}$/);
    assert.equal(pod?.metadata.labels?.["job-name"], "good");
    assert.equal(pod?.metadata.labels?.["batch.kubernetes.io/controller-uid"], done.metadata.uid);
    assert.equal(pod?.metadata.labels?.["suite"], "fake");
    assert.equal(mainOf(pod)?.terminated?.reason, "Completed");
    const { text } = await scene.log(String(pod?.metadata.name));
    assert.equal(text, "line 1\nline 2\nline 3\n");
  }));

test("fake cluster: a Job fails after its retries", () =>
  inCluster(async (scene) => {
    await scene.create(JOBS, job("bad", { does: "fail", exitCode: 3, lines: 1 }, { spec: { backoffLimit: 2 } }));
    const failed = await ended(scene, "bad", "Failed");
    assert.equal(condition(failed, "Failed")?.reason, "BackoffLimitExceeded");
    assert.equal(failed.status.failed, 3);
    const pods = await scene.pods("bad");
    assert.deepEqual(
      pods.map((pod) => [pod.status.phase, mainOf(pod)?.terminated?.exitCode]),
      Array(3).fill(["Failed", 3]),
    );
  }));

test("fake cluster: a suspended Job has no pod until it is released, and a past deadline fails it without one", () =>
  inCluster(async (scene) => {
    for (const name of ["freed", "doomed"]) {
      await scene.create(JOBS, job(name, { does: "succeed" }, { spec: { suspend: true } }));
      await scene.becomes<Job>(JOBS, name, "is suspended", (one) => condition(one, "Suspended")?.status === "True");
    }
    assert.deepEqual(await scene.all(PODS), []);
    await scene.patch(JOBS, "freed", { spec: { suspend: false } });
    await ended(scene, "freed", "Complete");
    await scene.patch(JOBS, "doomed", { spec: { suspend: false, activeDeadlineSeconds: 0 } });
    assert.equal(condition(await ended(scene, "doomed", "Failed"), "Failed")?.reason, "DeadlineExceeded");
    assert.deepEqual(await scene.pods("doomed"), []);
  }));

test("fake cluster: a pod's deadline keeps pod and log, a Job's takes them", () =>
  inCluster(async (scene) => {
    for (const name of ["kept", "taken"]) await scene.create(JOBS, job(name, { does: "sleep" }));
    const kept = await running(scene, "kept");
    await running(scene, "taken");
    await scene.patch(PODS, kept.metadata.name, { spec: { activeDeadlineSeconds: 1 } });
    await scene.patch(JOBS, "taken", { spec: { activeDeadlineSeconds: 1 } });
    assert.equal(condition(await ended(scene, "kept", "Failed"), "Failed")?.reason, "BackoffLimitExceeded");
    const [pod] = await scene.pods("kept");
    assert.deepEqual([pod?.status.reason, mainOf(pod)?.terminated?.exitCode], ["DeadlineExceeded", 137]);
    assert.equal((await scene.log(kept.metadata.name)).text, "line 1\n");
    assert.equal(condition(await ended(scene, "taken", "Failed"), "Failed")?.reason, "DeadlineExceeded");
    assert.deepEqual(await scene.pods("taken"), []);
    const raised = scene.patch(PODS, kept.metadata.name, { spec: { activeDeadlineSeconds: 5 } });
    await assert.rejects(raised, /less than or equal to previous value/);
  }));

test("fake cluster: a job that is deaf to SIGTERM is killed after its grace", () =>
  inCluster(async (scene) => {
    await scene.create(JOBS, job("deaf", { does: "ignore-term" }));
    const pod = await running(scene, "deaf");
    await scene.remove(PODS, pod.metadata.name);
    const leaving = await scene.get<Pod>(PODS, pod.metadata.name);
    assert.equal(leaving?.metadata.deletionGracePeriodSeconds, 30);
    await scene.gone(PODS, pod.metadata.name);
    await ended(scene, "deaf", "Failed");
  }));

test("fake cluster: a finished Job lives for its TTL", () =>
  inCluster(async (scene) => {
    await scene.create(JOBS, job("brief", { does: "succeed" }, { spec: { ttlSecondsAfterFinished: 3600 } }));
    await ended(scene, "brief", "Complete");
    await scene.patch(JOBS, "brief", { spec: { ttlSecondsAfterFinished: 0 } });
    await scene.gone(JOBS, "brief");
    await until("the pod is gone", async () => (await scene.pods("brief")).length === 0);
  }));

test("fake cluster: what is owned goes with its owner, as the deletion asks", () =>
  inCluster(async (scene) => {
    for (const [name, policy] of [["a", "Background"], ["b", "Foreground"], ["c", "Orphan"]] as const) {
      const uid = await scene.create(JOBS, job(name, { does: "succeed" }));
      const owner = { apiVersion: "batch/v1", kind: "Job", name, uid };
      await scene.create(SECRETS, { metadata: { name: `s-${name}`, ownerReferences: [owner] } } as never);
      await ended(scene, name, "Complete");
      await scene.remove(JOBS, name, policy);
      await scene.gone(JOBS, name);
      if (policy === "Orphan") {
        const orphan = await scene.get<Pod>(SECRETS, "s-c");
        assert.deepEqual(orphan?.metadata.ownerReferences, []);
      } else await scene.gone(SECRETS, `s-${name}`);
    }
    assert.equal((await scene.all<Pod>(PODS)).length, 1, "only the orphan is left");
  }));

test("fake cluster: a pod waits for its Secret, and reads the document from it", () =>
  inCluster(async (scene) => {
    const volumes = [{ name: "document", secret: { secretName: "late" } }];
    await scene.create(JOBS, job("reader", { does: "echo", document: "" }, { pod: { volumes } }));
    const pod = await until("the event", async () => {
      const [pod] = await scene.pods("reader");
      const events = await scene.events(pod?.metadata.name ?? "none");
      return events.some(({ reason }) => reason === "FailedMount") && pod;
    });
    const refusal = await scene.log(pod.metadata.name);
    const waiting = `container "main" in pod "${pod.metadata.name}" is waiting to start: PodInitializing`;
    assert.deepEqual(refusal, { code: 400, text: waiting });
    await scene.create(SECRETS, { metadata: { name: "late" }, stringData: { document: "a: 1\nb: ü" } } as never);
    await ended(scene, "reader", "Complete");
    assert.equal((await scene.log(pod.metadata.name)).text, "a: 1\nb: ü");
    assert.match((await scene.log(pod.metadata.name, { container: "x" })).text, /container x is not valid/);
  }));

test("fake cluster: a log is stamped, tailed, limited, and gone with its pod", () =>
  inCluster(async (scene) => {
    await scene.create(JOBS, job("long", { does: "print", lines: 3000, everyMs: 0 }));
    await ended(scene, "long", "Complete");
    const name = (await scene.pods("long"))[0]?.metadata.name ?? "";
    const { text } = await scene.log(name, { container: "main", timestamps: "true", follow: "true" });
    const lines = text.trimEnd().split("\n");
    assert.equal(lines.length, 3000);
    for (const line of lines) assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line \d+$/);
    assert.equal((await scene.log(name, { tailLines: "2" })).text, "line 2999\nline 3000\n");
    assert.equal((await scene.log(name, { limitBytes: "9" })).text, "line 1\nli");
    assert.equal((await scene.log(name, { sinceTime: "2999-01-01T00:00:00Z" })).text, "");
    await scene.remove(PODS, name);
    await scene.gone(PODS, name);
    assert.deepEqual(await scene.log(name), { code: 404, text: `pods "${name}" not found` });
  }));

test("fake cluster: a CronJob mints one Job a slot, unless one is running", () =>
  inCluster(async (scene) => {
    await scene.create(CRON_JOBS, cronJob("nightly", "0 0 1 1 *", { does: "sleep" }));
    const schedule = parseSchedule("0 0 1 1 *", "Europe/Berlin");
    const next = (time: number) => new Date(schedule.next(time) ?? NaN).toISOString();
    const first = next(scene.clock.now()), second = next(Date.parse(first));
    scene.clock.advance(Date.parse(first) - scene.clock.now() + 50);
    const name = `nightly-${Date.parse(first) / 60_000}`;
    const minted = await scene.becomes<Job>(JOBS, name, "is minted", () => true);
    const { annotations, ownerReferences } = minted.metadata;
    const slot = annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"];
    assert.match(String(slot), /-01-01T00:00:00\+01:00$/);
    assert.equal(new Date(String(slot)).toISOString(), first);
    assert.equal(ownerReferences?.[0]?.controller, true);
    const told = (cron: CronJob) => cron.status.lastScheduleTime !== undefined && cron.status.active?.length === 1;
    await scene.becomes<CronJob>(CRON_JOBS, "nightly", "says so", told);
    scene.clock.advance(Date.parse(second) - scene.clock.now() + 50);
    await until("the event", async () =>
      (await scene.events("nightly")).some(({ reason }) => reason === "JobAlreadyActive"));
    assert.equal((await scene.all(JOBS)).length, 1);
    await scene.remove(CRON_JOBS, "nightly", "Orphan");
    await scene.gone(CRON_JOBS, "nightly");
    assert.deepEqual((await scene.get<Job>(JOBS, name))?.metadata.ownerReferences, []);
    const wrong = scene.create(
      CRON_JOBS,
      cronJob("mars", "0 0 * * *", { does: "sleep" }, { timeZone: "Mars/Olympus" }),
    );
    await assert.rejects(wrong, /no such IANA zone/);
  }));

/** What the job's pod shows, or where there is none the event on the Job. */
const TROUBLES: readonly [Trouble, (scene: Scene, pod: Pod | undefined) => boolean | undefined | Promise<boolean>][] = [
  ["image-pull", (_, pod) => mainOf(pod)?.waiting?.reason === "ImagePullBackOff"],
  ["invalid-image", (_, pod) => mainOf(pod)?.waiting?.reason === "InvalidImageName"],
  ["unschedulable", (_, pod) => pod && condition(pod, "PodScheduled")?.reason === "Unschedulable"],
  ["failed-mount", async (scene, pod) => {
    const events = await scene.events(pod?.metadata.name ?? "none");
    return mainOf(pod)?.waiting?.reason === "PodInitializing" && events.some(({ reason }) => reason === "FailedMount");
  }],
  ["oom", (_, pod) => mainOf(pod)?.terminated?.reason === "OOMKilled" && pod?.status.phase === "Failed"],
  ["evicted", (_, pod) => pod?.status.reason === "Evicted" && pod.status.phase === "Failed"],
  ["init-failed", (_, pod) => {
    const state = pod?.status.initContainerStatuses?.[0]?.state.terminated;
    return pod?.status.phase === "Failed" && JSON.parse(state?.message ?? "{}").code === "SecretNotFound";
  }],
  ["no-service-account", async (scene) => {
    const events = await scene.events("troubled");
    return events.some(({ reason, message }) =>
      reason === "FailedCreate" && /serviceaccount .* not found/.test(message)
    );
  }],
];
for (const [trouble, shows] of TROUBLES) {
  test(`fake cluster: trouble with a pod: ${trouble}`, () =>
    inCluster(async (scene) => {
      scene.cluster.afflict(trouble);
      await scene.create(JOBS, job("troubled", { does: "sleep" }));
      await until(trouble, async () => await shows(scene, (await scene.pods("troubled"))[0]), { patienceMs: 10_000 });
    }));
}

test("fake cluster: a trouble that passes is over with the next attempt", () =>
  inCluster(async (scene) => {
    scene.cluster.afflict("oom", { times: 1 });
    await scene.create(JOBS, job("again", { does: "succeed" }, { spec: { backoffLimit: 1 } }));
    assert.equal((await ended(scene, "again", "Complete")).status.failed, 1);
  }));
