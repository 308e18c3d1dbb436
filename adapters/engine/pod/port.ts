/** The job's pod, as the cluster engines see it: types only. How it comes about is this folder's own affair. */
import type { Job } from "../../../mod/job.ts";
import type { EnvVar, PodSpec } from "../cluster/manifest.ts";

/**
 * How the document reaches the job: `inject` resolves its references in an init container, `passthrough` leaves that to
 * OpenMetadata's own framework (the document carries the ids that it wants), `plain` has nothing to resolve.
 */
export type Delivery = "inject" | "passthrough" | "plain";

/** A job as a revision or a run keeps it: all but the document, which lives in a Secret. */
export interface Definition {
  job: Omit<Job, "document">;
  delivery: Delivery;
}

/** A job made ready to be stored. */
export interface Prepared {
  definition: Definition;
  /** What the Secret carries: the document, in `passthrough` with the framework's own ids. */
  document: string;
}

/** What a pod needs to know of the run that it is for. */
export interface Placement {
  /** Name of the Secret that holds the document under the key `document`. */
  documentSecret: string;
  /** Where the pod's `pipelineRunId` comes from: a value, or the engine's own word for a run that a schedule mints. */
  runId: Omit<EnvVar, "name">;
}

/** The pod of a run, for either engine. */
export interface JobPod {
  /** Labels and annotations of the settings and the job; the engine adds its own. */
  labels: Record<string, string>;
  annotations: Record<string, string>;
  spec: PodSpec;
  /**
   * Fields of an Argo Workflow's spec that a custom spec file asks for and that a pod has no word for; empty where the
   * engine is Kubernetes Jobs (such a file is refused there when it is read).
   */
  workflowSpec: Record<string, unknown>;
  /** How often a failed attempt is repeated. */
  retries: number;
}

/** Makes pods of jobs. */
export interface JobPods {
  /** Decides how the document reaches the job. Faults: `invalid` (document, references, image), with `path`. */
  prepare(job: Job): Prepared;
  /** The pod of a run; the same input gives the same pod. */
  pod(definition: Definition, placement: Placement): JobPod;
}
