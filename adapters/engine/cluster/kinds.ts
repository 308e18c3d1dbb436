/** The kinds of objects that the cluster engines work with, by their API names. */
import type { ApiResource } from "../../cluster/target.ts";

/** A resource and the `kind` that its objects carry. */
export interface Kind extends ApiResource {
  readonly kind: string;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/ */
export const JOBS: Kind = { apiVersion: "batch/v1", resource: "jobs", kind: "Job" };
/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/cron-job-v1/ */
export const CRON_JOBS: Kind = { apiVersion: "batch/v1", resource: "cronjobs", kind: "CronJob" };
/** Argo Workflows' group and version. */
export const ARGO_API = "argoproj.io/v1alpha1";
/** https://argo-workflows.readthedocs.io/en/release-3.7/fields/#workflow */
export const WORKFLOWS: Kind = { apiVersion: ARGO_API, resource: "workflows", kind: "Workflow" };
/** https://argo-workflows.readthedocs.io/en/release-3.7/fields/#cronworkflow */
export const CRON_WORKFLOWS: Kind = { apiVersion: ARGO_API, resource: "cronworkflows", kind: "CronWorkflow" };
/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/ */
export const CONTROLLER_REVISIONS: Kind = {
  apiVersion: "apps/v1",
  resource: "controllerrevisions",
  kind: "ControllerRevision",
};
/** https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/ */
export const SECRETS: Kind = { apiVersion: "v1", resource: "secrets", kind: "Secret" };
/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ */
export const PODS: Kind = { apiVersion: "v1", resource: "pods", kind: "Pod" };
/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ */
export const EVENTS: Kind = { apiVersion: "v1", resource: "events", kind: "Event" };
