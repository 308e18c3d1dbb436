/**
 * What each account may do, as rules of a Role: the whole of it, and nothing else. On Secrets the runner may only
 * create: with nothing but patch (even as a dry run) or a foreground delete, an account reads any Secret's content from
 * the answer.
 */
import type { ApiVerb } from "../../cluster/target.ts";
import {
  ARGO_API,
  CONTROLLER_REVISIONS,
  CRON_JOBS,
  CRON_WORKFLOWS,
  EVENTS,
  JOBS,
  type Kind,
  PODS,
  SECRETS,
  WORKFLOWS,
} from "./kinds.ts";

/** https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/role-v1/ */
export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  verbs: ApiVerb[];
  resourceNames?: string[];
}

/** A cluster engine by its kind, as in `Dialect`. */
export type ClusterEngine = "argo" | "kubernetes";

const RUNS: Record<ClusterEngine, readonly Kind[]> = {
  argo: [WORKFLOWS, CRON_WORKFLOWS],
  kubernetes: [JOBS, CRON_JOBS],
};
const OTHER: Record<ClusterEngine, ClusterEngine> = { argo: "kubernetes", kubernetes: "argo" };
const ALL: ApiVerb[] = ["create", "get", "list", "watch", "patch", "delete"];

/**
 * The runner's rules in the jobs' namespace. `other`: the other engine's kinds are served there, and what it left has to
 * be ended.
 */
export function runnerRules(engine: ClusterEngine, { other = true } = {}): PolicyRule[] {
  return [
    rule(RUNS[engine], ALL),
    rule([CONTROLLER_REVISIONS], ALL),
    // A Job is stopped by its pod's own deadline: whatever is done to the Job takes the log away.
    rule([PODS], ["get", "list", "watch", ...engine === "kubernetes" ? ["patch" as const] : []]),
    rule([{ ...PODS, resource: "pods/log" }], ["get"]),
    rule([EVENTS], ["get", "list"]),
    rule([SECRETS], ["create"]),
    ...other ? [rule(RUNS[OTHER[engine]], ["get", "list", "patch", "delete"])] : [],
  ];
}

/** What every job's own account needs in the jobs' namespace: of Argo's own containers, which report by these. */
export function ingestionRules(engine: ClusterEngine): PolicyRule[] {
  if (engine === "kubernetes") return [];
  return [rule([{ apiVersion: ARGO_API, resource: "workflowtaskresults" }], ["create", "patch"])];
}

/** What it needs in the secrets' namespace where the provider is `kubernetes`; only these Secrets where names are given. */
export function secretRules(names: readonly string[] = []): PolicyRule[] {
  const read = rule([SECRETS], ["get"]);
  return [names.length === 0 ? read : { ...read, resourceNames: [...names] }];
}

/** Kinds of one API group. */
function rule(kinds: readonly Pick<Kind, "apiVersion" | "resource">[], verbs: ApiVerb[]): PolicyRule {
  const groups = new Set(kinds.map(({ apiVersion }) => apiVersion.includes("/") ? apiVersion.split("/")[0] ?? "" : ""));
  return { apiGroups: [...groups], resources: kinds.map(({ resource }) => resource), verbs: [...verbs] };
}
