/** What a Workflow's status says of its pods. */
import type { Pod, Workflow, WorkflowNode } from "./objects.ts";
import { nodeName, podName } from "./workflow_pod.ts";

/** How a node, or the whole Workflow, ended. */
export interface Outcome {
  phase: "Succeeded" | "Failed" | "Error";
  message?: string;
}

/** The node of a pod that is being created. */
export function nodeOf(workflow: Workflow, attempt: number | undefined, startedAt: string): WorkflowNode {
  const id = podName(workflow, attempt), name = nodeName(workflow, attempt);
  const templateName = workflow.spec.entrypoint;
  return { id, name, displayName: name, type: "Pod", templateName, phase: "Pending", startedAt, finishedAt: null };
}

/** What Argo infers from a pod that is over. */
export function outcomeOf({ status }: Pod): Outcome {
  if (status.phase === "Succeeded") return { phase: "Succeeded" };
  if (status.message !== undefined) return { phase: "Failed", message: status.message };
  const { initContainerStatuses: inits = [], containerStatuses: regular = [] } = status;
  const order = [...inits, ...regular.filter(({ name }) => name === "main"), ...regular];
  const failed = order.map(({ state }) => state.terminated).find((end) => end !== undefined && end.exitCode !== 0);
  if (failed === undefined) return { phase: "Failed", message: "pod failed for unknown reason" };
  const said = failed.message === undefined ? "" : `: ${failed.message}`;
  return { phase: "Failed", message: `${failed.reason} (exit code ${failed.exitCode})${said}` };
}
