/** The kinds of objects that the cluster engines work with, by their API names. */
import type { ApiResource } from "../../cluster/target.ts";

/** A resource and the `kind` that its objects carry. */
export interface Kind extends ApiResource {
  readonly kind: string;
}

export const JOBS: Kind = { apiVersion: "batch/v1", resource: "jobs", kind: "Job" };
export const CRON_JOBS: Kind = { apiVersion: "batch/v1", resource: "cronjobs", kind: "CronJob" };
export const ARGO_API = "argoproj.io/v1alpha1";
export const WORKFLOWS: Kind = { apiVersion: ARGO_API, resource: "workflows", kind: "Workflow" };
export const CRON_WORKFLOWS: Kind = { apiVersion: ARGO_API, resource: "cronworkflows", kind: "CronWorkflow" };
export const CONTROLLER_REVISIONS: Kind = {
  apiVersion: "apps/v1",
  resource: "controllerrevisions",
  kind: "ControllerRevision",
};
export const SECRETS: Kind = { apiVersion: "v1", resource: "secrets", kind: "Secret" };
export const PODS: Kind = { apiVersion: "v1", resource: "pods", kind: "Pod" };
export const EVENTS: Kind = { apiVersion: "v1", resource: "events", kind: "Event" };
