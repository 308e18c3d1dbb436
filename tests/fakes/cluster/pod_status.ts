/** What the scheduler and the kubelet write into a pod's status. */
import type { Container } from "../../../adapters/engine/cluster/manifest.ts";
import type { Condition, ContainerState, ContainerStatus, Pod } from "./objects.ts";

/** No node takes it. */
export function unschedulable(pod: Pod, now: string): void {
  const message = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available.";
  condition(pod, { type: "PodScheduled", status: "False", reason: "Unschedulable", message, lastTransitionTime: now });
}

/** It is on its node. */
export function givenNode(pod: Pod, now: string): void {
  pod.spec.nodeName = "node-1";
  condition(pod, { type: "PodScheduled", status: "True", lastTransitionTime: now });
}

/** The kubelet has taken it on. */
export function started(pod: Pod, now: string): void {
  const { initContainers = [], containers } = pod.spec;
  const waiting = { waiting: { reason: initContainers.length > 0 ? "PodInitializing" : "ContainerCreating" } };
  const statusOf = ({ name, image }: Container): ContainerStatus => {
    return { name, image, ready: false, started: false, restartCount: 0, state: waiting, lastState: {} };
  };
  pod.status.startTime = now;
  if (initContainers.length > 0) pod.status.initContainerStatuses = initContainers.map(statusOf);
  pod.status.containerStatuses = containers.map(statusOf);
  const isInitialized = initContainers.length === 0 ? "True" : "False";
  condition(pod, { type: "Initialized", status: isInitialized, lastTransitionTime: now });
}

/** Every init container has ended well. */
export function initialized(pod: Pod, now: string): void {
  condition(pod, { type: "Initialized", status: "True", lastTransitionTime: now });
}

/** A container's state has changed; with the first of the regular ones that runs, the pod is running. */
export function withState(pod: Pod, container: string, state: ContainerState): "over" | undefined {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status;
  const status = [...initContainerStatuses, ...containerStatuses].find(({ name }) => name === container);
  if (status === undefined) return undefined;
  status.state = state;
  status.started = status.ready = state.running !== undefined;
  if (state.running && containerStatuses.includes(status)) pod.status.phase = "Running";
  const isFailedInit = initContainerStatuses.includes(status) && (state.terminated?.exitCode ?? 0) !== 0;
  return isFailedInit || containerStatuses.every((one) => one.state.terminated) ? "over" : undefined;
}

/** It has come to its end: of itself, or by one from outside that has a reason. */
export function finished(pod: Pod, ending: { reason?: string; message?: string } | undefined, now: string): void {
  const { status } = pod;
  const { initContainerStatuses: inits = [], containerStatuses: regular = [] } = status;
  const hasInitialized = inits.every(({ state }) => state.terminated?.exitCode === 0);
  for (const one of regular) {
    if (one.state.terminated || !hasInitialized) continue;
    const message = "The container could not be located when the pod was terminated";
    const nobodyKnows = { exitCode: 137, reason: "ContainerStatusUnknown", startedAt: null, finishedAt: null };
    one.state = { terminated: { ...nobodyKnows, message } };
  }
  const isGood = hasInitialized && regular.length > 0 && regular.every(({ state }) => state.terminated?.exitCode === 0);
  status.phase = isGood && ending?.reason === undefined ? "Succeeded" : "Failed";
  if (ending?.reason !== undefined) status.reason = ending.reason;
  if (ending?.message !== undefined) status.message = ending.message;
  condition(pod, {
    type: "Ready",
    status: "False",
    reason: isGood ? "PodCompleted" : "PodFailed",
    lastTransitionTime: now,
  });
}

function condition({ status }: Pod, condition: Condition): void {
  status.conditions = [...(status.conditions ?? []).filter(({ type }) => type !== condition.type), condition];
}
