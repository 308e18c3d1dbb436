/** One pod from the scheduler to its end. */
import type { Container } from "../../../adapters/engine/cluster/manifest.ts";
import { PODS, SECRETS } from "../../../adapters/engine/cluster/kinds.ts";
import { DOCUMENT_KEY, MAIN, RESOLVE } from "../../../adapters/engine/pod/names.ts";
import { behave, behaviourOf, type Exit, type Process } from "./behaviours.ts";
import { createContainerLog, type GrowingLog } from "./container_log.ts";
import type { ContainerState, Pod, Secret } from "./objects.ts";
import { finished, givenNode, initialized, started, unschedulable, withState } from "./pod_status.ts";
import { envOf, missingSecret, secretNames } from "./pod_volumes.ts";
import { IMAGE_TROUBLES, type Trouble } from "./troubles.ts";
import type { Workshop } from "./workshop.ts";

/** Why a pod is ended from outside; without a reason its containers' exits decide. */
export interface Ending {
  reason?: string;
  message?: string;
  graceSeconds: number;
}

export interface PodLife {
  readonly logs: ReadonlyMap<string, GrowingLog>;
  /** SIGTERM, and SIGKILL after the grace. */
  end(ending: Ending): void;
  /** The pod is no more. */
  vanish(): void;
  /** Its `activeDeadlineSeconds` as they are now. */
  deadline(seconds: number | undefined): void;
  secretsChanged(): void;
}

const WORKFLOW = "workflows.argoproj.io/workflow";

/** What Argo's executor, whose child the job is, writes into the same output (seen of 3.7.4). */
function executorLines(exitCode: number, now: string): string[] {
  const error = exitCode === 0 ? "<nil>" : `exit status ${exitCode}`;
  const own = `time="${now}" level=info msg="sub-process exited" argo=true error="${error}"`;
  return exitCode === 0 ? [own] : [own, `Error: ${error}`];
}

interface Outcome extends Exit {
  reason?: string;
}

/** Nothing in a test is worth more grace than this. */
const LONGEST_GRACE_MS = 200;
const STEP_MS = 10;
const SOON_MS = 100;

/** True for a pod that has come to its end. */
export function isOver({ status }: Pod): boolean {
  return status.phase === "Succeeded" || status.phase === "Failed";
}

export function startPodLife(
  shop: Workshop,
  { metadata: { name, uid, labels = {} }, spec }: Pod,
  trouble: Trouble | undefined,
): PodLife {
  const pods = shop.of<Pod>(PODS), secrets = shop.of<Secret>(SECRETS);
  const logs = new Map<string, GrowingLog>();
  const term = new AbortController(), kill = new AbortController();
  const ended = AbortSignal.any([shop.life, term.signal]), killed = AbortSignal.any([shop.life, kill.signal]);
  const initContainers = spec.initContainers ?? [];
  let ending: Ending | undefined, isGone = false, startedAt = NaN;
  let look = () => {}, forgetDeadline = () => {};

  const set = (change: (draft: Pod) => void) =>
    pods.update(name, (draft) => {
      if (draft.metadata.uid === uid) change(draft);
    });
  const state = (container: string, now: ContainerState) =>
    set((draft) => {
      // The last container's end and the pod's are one update.
      if (withState(draft, container, now) === "over") finished(draft, ending, shop.now());
    });
  const event = (reason: string, message: string, component = "kubelet") => {
    const pod = pods.get(name);
    if (pod?.metadata.uid === uid) shop.event(pod, { reason, message, component });
  };
  const forEver = () => shop.sleep(Infinity, ended);

  async function mounted(): Promise<void> {
    for (let told = false;; told = true) {
      const missing = missingSecret(spec, secrets);
      if (missing === undefined && trouble !== "failed-mount") return;
      const why = missing === undefined ? "references non-existent config key" : `secret "${missing.secret}" not found`;
      const volume = missing?.volume ?? spec.volumes?.[0]?.name;
      if (!told) event("FailedMount", `MountVolume.SetUp failed for volume "${volume}" : ${why}`);
      const changed = Promise.withResolvers<void>();
      look = () => changed.resolve();
      await Promise.race([changed.promise, forEver()]);
      await shop.sleep(STEP_MS, ended);
    }
  }

  async function container({ name }: Container, work: (own: Process) => Promise<Outcome>, isDeaf = false) {
    const startedAt = shop.now();
    const log = createContainerLog(shop.clock.now);
    logs.set(name, log);
    state(name, { running: { startedAt } });
    const stopped = isDeaf ? killed : ended;
    const own: Process = {
      print: (...lines) => log.write(lines),
      printRest: (text) => log.write([text], { unterminated: true }),
      document: () => documentOf(),
      sleep: (ms) => shop.sleep(ms, stopped),
      sleepForEver: async () => {
        await shop.sleep(Infinity, stopped);
        throw new Error("for ever is over");
      },
    };
    const exit = await work(own).catch((error): Outcome => {
      if (!stopped.aborted || shop.life.aborted) throw error;
      return { exitCode: isDeaf || ending?.reason === "DeadlineExceeded" ? 137 : 143 };
    });
    if (name === MAIN && WORKFLOW in labels && !stopped.aborted) log.insert(executorLines(exit.exitCode, shop.now()));
    log.end();
    const { exitCode, message, reason = exitCode === 0 ? "Completed" : "Error" } = exit;
    const said = message === undefined ? {} : { message };
    const containerID = `containerd://${uid.replaceAll("-", "")}${name}`;
    state(name, { terminated: { exitCode, reason, ...said, startedAt, finishedAt: shop.now(), containerID } });
    return exit;
  }

  async function main(job: Container): Promise<Outcome> {
    const waits = trouble && IMAGE_TROUBLES[trouble]?.(job.image);
    for (const waiting of waits ?? []) {
      state(MAIN, { waiting });
      event(
        "Failed",
        waiting.reason === "ErrImagePull"
          ? `Failed to pull image "${job.image}": ${waiting.message}`
          : `Error: ${waiting.reason}`,
      );
      await shop.sleep(SOON_MS, ended);
    }
    if (waits) await forEver();
    if (trouble === "evicted") {
      const message = "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi.";
      shop.after(SOON_MS, () => end({ reason: "Evicted", message, graceSeconds: 0 }));
    }
    const behaviour = behaviourOf(envOf(pods.get(name), job)["BEHAVIOUR"]);
    return await container(job, async (own) => {
      if (trouble !== "oom") return await behave(behaviour, own);
      await own.sleep(SOON_MS);
      return { exitCode: 137, reason: "OOMKilled" };
    }, behaviour.does === "ignore-term");
  }

  async function run(): Promise<void> {
    await shop.sleep(STEP_MS, ended);
    if (trouble === "unschedulable") {
      set((draft) => unschedulable(draft, shop.now()));
      event("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.", "default-scheduler");
      await forEver();
    }
    set((draft) => givenNode(draft, shop.now()));
    await shop.sleep(STEP_MS, ended);
    startedAt = performance.now();
    set((draft) => started(draft, shop.now()));
    deadline(pods.get(name)?.spec.activeDeadlineSeconds);
    await mounted();
    for (const init of initContainers) {
      const { exitCode } = await container(init, async (own) => {
        await own.sleep(STEP_MS);
        if (init.name !== RESOLVE || trouble !== "init-failed") return { exitCode: 0 };
        const message = { code: "SecretNotFound", message: 'Cannot read secret "db/password": no such secret' };
        return { exitCode: 1, message: JSON.stringify(message) };
      });
      if (exitCode !== 0) return;
    }
    set((draft) => initialized(draft, shop.now()));
    await shop.sleep(STEP_MS, ended);
    const regular = spec.containers.find((each) => each.name === MAIN) ?? spec.containers[0];
    if (regular === undefined) return;
    const over = Promise.withResolvers<void>();
    const sidecars = spec.containers.filter((each) => each !== regular).map((sidecar) =>
      container(sidecar, async (own) => {
        await Promise.race([over.promise, own.sleepForEver()]);
        await own.sleep(STEP_MS).catch(() => {});
        return { exitCode: 0 };
      }, true)
    );
    await main(regular).finally(over.resolve).finally(() => Promise.all(sidecars));
  }

  function documentOf(): string {
    const found = secretNames(spec).map((secret) => secrets.get(secret)?.data[DOCUMENT_KEY]).find((data) => data);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.fromBase64(found ?? ""));
  }

  function end(why: Ending): void {
    ending ??= why;
    if (!term.signal.aborted) term.abort(new Error("SIGTERM"));
    shop.after(Math.min(why.graceSeconds * 1000, LONGEST_GRACE_MS), () => kill.abort(new Error("SIGKILL")));
  }

  function deadline(seconds: number | undefined): void {
    forgetDeadline();
    if (seconds === undefined || Number.isNaN(startedAt)) return;
    const left = startedAt + seconds * 1000 - performance.now();
    const message = "Pod was active on the node longer than the specified deadline";
    const graceSeconds = spec.terminationGracePeriodSeconds ?? 30;
    forgetDeadline = shop.after(left, () => end({ reason: "DeadlineExceeded", message, graceSeconds }));
  }

  shop.spawn(async () => {
    try {
      await run();
    } catch (error) {
      if (!ended.aborted || shop.life.aborted) throw error;
    }
    forgetDeadline();
    if (isGone) return;
    set((draft) => isOver(draft) || finished(draft, ending, shop.now()));
    if (pods.get(name)?.metadata.uid === uid && pods.get(name)?.metadata.deletionTimestamp !== undefined) {
      pods.drop(name);
    }
  });

  return {
    logs,
    end,
    vanish() {
      isGone = true;
      for (const log of logs.values()) log.end();
      term.abort(new Error("the pod is no more"));
      kill.abort(new Error("the pod is no more"));
    },
    deadline,
    secretsChanged: () => look(),
  };
}
