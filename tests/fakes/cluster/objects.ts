/** The kinds of objects that the fake cluster acts on, as far as it reads them. */
import type { Container, PodSpec, Volume } from "../../../adapters/engine/cluster/manifest.ts";
import type { Stored } from "../api_objects.ts";

/** Labels and annotations of what is made from a template. */
export interface Template {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
}

export interface ContainerState {
  waiting?: { reason: string; message?: string };
  running?: { startedAt: string };
  terminated?: {
    exitCode: number;
    reason: string;
    message?: string;
    startedAt: string | null;
    finishedAt: string | null;
    containerID?: string;
  };
}

export interface ContainerStatus {
  name: string;
  image: string;
  ready: boolean;
  restartCount: number;
  started: boolean;
  state: ContainerState;
  lastState: Record<string, never>;
}

export interface Condition {
  type: string;
  status: "True" | "False";
  reason?: string;
  message?: string;
  lastTransitionTime: string;
}

export interface Pod extends Stored {
  spec: PodSpec & { nodeName?: string };
  status: {
    phase: "Pending" | "Running" | "Succeeded" | "Failed";
    reason?: string;
    message?: string;
    startTime?: string;
    conditions?: Condition[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}

export interface JobSpec {
  suspend: boolean;
  backoffLimit: number;
  activeDeadlineSeconds?: number;
  ttlSecondsAfterFinished?: number;
  podReplacementPolicy?: string;
  template: Template & { spec: PodSpec };
}

export interface Job extends Stored {
  spec: JobSpec;
  status: {
    startTime?: string;
    completionTime?: string;
    active?: number;
    ready?: number;
    terminating?: number;
    succeeded?: number;
    failed?: number;
    conditions?: Condition[];
  };
}

export interface Reference {
  apiVersion: string;
  kind: string;
  name: string;
  namespace: string;
  uid: string;
}

export interface CronJob extends Stored {
  spec: {
    schedule: string;
    timeZone?: string;
    suspend: boolean;
    concurrencyPolicy: "Allow" | "Forbid" | "Replace";
    startingDeadlineSeconds?: number;
    successfulJobsHistoryLimit: number;
    failedJobsHistoryLimit: number;
    jobTemplate: Template & { spec: Record<string, unknown> };
  };
  status: { lastScheduleTime?: string; lastSuccessfulTime?: string; active?: Reference[] };
}

export interface WorkflowTemplate extends Template {
  name: string;
  container?: Omit<Container, "name">;
  initContainers?: Container[];
  sidecars?: Container[];
  volumes?: Volume[];
  activeDeadlineSeconds?: number | string;
  retryStrategy?: { limit?: number | string; retryPolicy?: string };
  podSpecPatch?: string;
  serviceAccountName?: string;
}

export interface WorkflowSpec extends Omit<PodSpec, "containers" | "initContainers"> {
  entrypoint: string;
  templates: WorkflowTemplate[];
  shutdown?: string;
  synchronization?: { mutexes?: { name: string }[] };
  ttlStrategy?: { secondsAfterCompletion?: number; secondsAfterSuccess?: number; secondsAfterFailure?: number };
  retryStrategy?: WorkflowTemplate["retryStrategy"];
  podMetadata?: Template["metadata"];
  podSpecPatch?: string;
}

export interface WorkflowNode {
  id: string;
  name: string;
  displayName: string;
  type: "Pod" | "Retry";
  templateName: string;
  phase: string;
  message?: string;
  startedAt: string;
  finishedAt: string | null;
}

export interface Workflow extends Stored {
  spec: WorkflowSpec;
  status?: {
    phase?: "Pending" | "Running" | "Succeeded" | "Failed" | "Error";
    message?: string;
    startedAt?: string | null;
    finishedAt?: string | null;
    progress?: string;
    conditions?: { type: string; status: string }[];
    nodes?: Record<string, WorkflowNode>;
    synchronization?: {
      mutex?: {
        holding?: { mutex: string; holder: string }[];
        waiting?: { mutex: string; holder: string }[];
      };
    };
  };
}

export interface CronWorkflow extends Stored {
  spec: {
    schedule?: string;
    schedules?: string[];
    timezone?: string;
    suspend?: boolean;
    concurrencyPolicy?: "Allow" | "Forbid" | "Replace";
    startingDeadlineSeconds?: number;
    successfulJobsHistoryLimit?: number;
    failedJobsHistoryLimit?: number;
    workflowMetadata?: Template["metadata"];
    workflowSpec: WorkflowSpec;
  };
  status?: {
    lastScheduledTime?: string | null;
    active?: Reference[];
    conditions?: { type: string; status: string; message?: string }[];
    phase?: string;
    succeeded?: number;
    failed?: number;
  };
}

export interface Secret extends Stored {
  data: Record<string, string>;
}
