/** Argo's Workflow controller, for Workflows of one step: mutex, retries, termination, and phases that come late. */
import { PODS, WORKFLOWS } from "../../../adapters/engine/cluster/kinds.ts";
import type { Kubelet } from "./kubelet.ts";
import type { Pod, Workflow } from "./objects.ts";
import { isOver } from "./pod_life.ts";
import type { Troubles } from "./troubles.ts";
import { mayHold, mutexesOf } from "./workflow_mutex.ts";
import { nodeOf, type Outcome, outcomeOf } from "./workflow_nodes.ts";
import { podName, podOf, templateOf } from "./workflow_pod.ts";
import { controllerOf, type Workshop } from "./workshop.ts";

const DELAY_MS = 30;
/** Four to fourteen seconds in earnest. */
const LATE_MS = 300;
const PHASE = "workflows.argoproj.io/phase", COMPLETED = "workflows.argoproj.io/completed";

export function startWorkflowController(shop: Workshop, kubelet: Kubelet, troubles: Troubles): void {
  const workflows = shop.of<Workflow>(WORKFLOWS), pods = shop.of<Pod>(PODS);
  /** When each pod was first seen to be over, by `performance.now()`. */
  const overSince = new Map<string, number>();

  const { enqueue } = shop.controller({
    delayMs: DELAY_MS,
    names(change) {
      const workflow = workflows.in(change);
      if (workflow) {
        const mutexes = mutexesOf(workflow);
        const waiting = mutexes.length === 0
          ? []
          : workflows.all().filter((one) => !isCompleted(one) && mutexesOf(one).some((name) => mutexes.includes(name)));
        return [workflow.metadata.name, ...waiting.map(({ metadata }) => metadata.name)];
      }
      const owner = pods.in(change)?.metadata.ownerReferences?.find(({ kind }) => kind === "Workflow");
      return owner ? [owner.name] : [];
    },
    reconcile,
  });

  function reconcile(name: string): void {
    const workflow = workflows.get(name);
    if (workflow === undefined || workflow.metadata.deletionTimestamp !== undefined) return;
    if (isCompleted(workflow)) return expire(workflow);
    const { status = {}, spec } = workflow;
    const mutexes = mutexesOf(workflow);
    if (mutexes.length > 0 && !status.synchronization?.mutex?.holding?.length) {
      if (!mayHold(workflow, workflows.all().filter((one) => !isCompleted(one)))) return wait(workflow, mutexes);
      hold(name, mutexes);
    }
    try {
      templateOf(workflow);
    } catch (error) {
      return finish(name, { phase: "Failed", message: error instanceof Error ? error.message : String(error) });
    }
    if (status.phase !== "Running") setPhase(name, "Running");
    const limit = retryOf(workflow).limit;
    const shutdown = spec.shutdown;
    const mine = pods.all().filter((pod) => controllerOf(pod) === workflow.metadata.uid);
    for (let attempt = 0;; attempt++) {
      const number = limit === undefined ? undefined : attempt;
      const node = status.nodes?.[podName(workflow, number)];
      const pod = mine.find(({ metadata }) => metadata.name === podName(workflow, number));
      if (node === undefined) {
        if (shutdown) return finish(name, { phase: "Failed", message: `Stopped with strategy '${shutdown}'` });
        return create(workflow, number);
      }
      const outcome = settled(name, node, pod);
      if (outcome === undefined) return shutdown && pod && !isOver(pod) ? terminate(pod) : undefined;
      if (attempt < (limit ?? 0) && !shutdown && isRetried(workflow, outcome)) continue;
      if (outcome.phase === "Succeeded") return finish(name, outcome);
      const exhausted = (limit ?? 0) > 0 ? { message: "No more retries left" } : {};
      return finish(name, { ...outcome, ...shutdown ? { message: `Stopped with strategy '${shutdown}'` } : exhausted });
    }
  }

  /** How a node ended, once the controller has come to see it. */
  function settled(
    name: string,
    node: { id: string; phase: string; message?: string },
    pod: Pod | undefined,
  ): Outcome | undefined {
    if (isEnd(node.phase)) return { phase: node.phase, ...node.message === undefined ? {} : { message: node.message } };
    if (pod !== undefined && !isOver(pod)) return undefined;
    const key = pod?.metadata.uid ?? node.id;
    const since = overSince.get(key) ?? performance.now();
    overSince.set(key, since);
    const left = since + LATE_MS - performance.now();
    if (left > 0) return void shop.after(left, () => enqueue(name));
    const shutdown = workflows.get(name)?.spec.shutdown;
    const lost: Outcome = shutdown
      ? { phase: "Failed", message: `workflow shutdown with strategy:  ${shutdown}` }
      : { phase: "Error", message: "pod deleted" };
    const outcome = pod ? outcomeOf(pod) : lost;
    workflows.update(name, (draft) => {
      Object.assign(draft.status?.nodes?.[node.id] ?? {}, outcome, { finishedAt: shop.now() });
    });
    pods.update(node.id, ({ metadata }) => void (metadata.labels = { ...metadata.labels, [COMPLETED]: "true" }));
    return outcome;
  }

  function create(workflow: Workflow, attempt: number | undefined): void {
    const { name, namespace = "" } = workflow.metadata;
    const pod = podOf(workflow, attempt);
    const refused = troubles.refusal(pod.metadata.name, { ...workflow, spec: pod.spec }, namespace);
    if (refused !== undefined) return finish(name, { phase: "Error", message: refused });
    workflows.update(name, (draft) => {
      const nodes = { ...draft.status?.nodes, [pod.metadata.name]: nodeOf(workflow, attempt, shop.now()) };
      draft.status = { ...draft.status, nodes };
    });
    pods.create(pod);
  }

  function terminate(pod: Pod): void {
    // A pod that has not started is taken away, one that runs is told to end.
    if (pod.status.phase === "Running") kubelet.terminate(pod);
    else pods.remove(pod.metadata.name);
  }

  function wait({ metadata, spec, status }: Workflow, mutexes: string[]): void {
    const { name, namespace } = metadata;
    // So it is: nothing has run, and nothing went wrong.
    if (spec.shutdown === "Terminate" && status?.phase === "Pending") return finish(name, { phase: "Succeeded" });
    setPhase(name, "Pending", `Waiting for ${namespace}/Mutex/${mutexes[0]} lock. Lock status: 0/1`);
    workflows.update(name, (draft) => {
      const waiting = mutexes.map((mutex) => ({
        mutex: `${namespace}/Mutex/${mutex}`,
        holder: `${namespace}/${name}`,
      }));
      draft.status = { ...draft.status, synchronization: { mutex: { waiting } } };
    });
  }

  function hold(name: string, mutexes: string[]): void {
    workflows.update(name, (draft) => {
      const holding = mutexes.map((mutex) => ({ mutex: `${shop.namespace}/Mutex/${mutex}`, holder: name }));
      draft.status = { ...draft.status, synchronization: { mutex: { holding } } };
    });
  }

  function setPhase(name: string, phase: Phase, message?: string): void {
    workflows.update(name, (draft) => mark(draft, phase, message));
  }

  function mark(draft: Workflow, phase: Phase, message?: string): void {
    const { message: _, ...status } = draft.status ?? {};
    const startedAt = status.startedAt ?? (phase === "Pending" ? null : shop.now());
    draft.status = { finishedAt: null, progress: "0/1", ...status, phase, startedAt };
    if (message !== undefined) draft.status.message = message;
    draft.metadata.labels = { [COMPLETED]: "false", ...draft.metadata.labels, [PHASE]: phase };
  }

  function finish(name: string, { phase, message }: Outcome): void {
    workflows.update(name, (draft) => {
      mark(draft, phase, message);
      const conditions = [{ type: "PodRunning", status: "False" }, { type: "Completed", status: "True" }];
      draft.status = { ...draft.status, finishedAt: shop.now(), progress: "1/1", conditions };
      delete draft.status.synchronization;
      draft.metadata.labels = { ...draft.metadata.labels, [COMPLETED]: "true" };
    });
  }

  function expire({ metadata: { name }, spec: { ttlStrategy = {} }, status }: Workflow): void {
    const { secondsAfterCompletion, secondsAfterSuccess, secondsAfterFailure } = ttlStrategy;
    const seconds = (status?.phase === "Succeeded" ? secondsAfterSuccess : secondsAfterFailure) ??
      secondsAfterCompletion;
    if (seconds === undefined) return;
    const left = Date.parse(status?.finishedAt ?? "") + seconds * 1000 - shop.clock.now();
    if (left <= 0) workflows.remove(name, { propagationPolicy: "Background" });
    else shop.after(left, () => enqueue(name));
  }
}

type Phase = "Pending" | "Running" | Outcome["phase"];

function isCompleted({ status }: Workflow): boolean {
  return isEnd(status?.phase);
}

function isEnd(phase: string | undefined): phase is Outcome["phase"] {
  return phase === "Succeeded" || phase === "Failed" || phase === "Error";
}

function retryOf({ spec }: Workflow): { limit?: number; policy: string } {
  const strategy = spec.templates.find(({ name }) => name === spec.entrypoint)?.retryStrategy ?? spec.retryStrategy;
  if (strategy === undefined) return { policy: "OnFailure" };
  return { limit: Number(strategy.limit ?? Infinity), policy: strategy.retryPolicy ?? "OnFailure" };
}

function isRetried(workflow: Workflow, { phase }: Outcome): boolean {
  const retried: Record<string, string[]> = { Always: ["Failed", "Error"], OnFailure: ["Failed"], OnError: ["Error"] };
  return retried[retryOf(workflow).policy]?.includes(phase) ?? false;
}
