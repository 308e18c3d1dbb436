/** The paths of the API, and the pages that say what is served. */

/** `/apis/batch/v1/namespaces/x/jobs/y/status` in its parts. */
export interface ApiPath {
  /** `batch`; empty for the core group. */
  group: string;
  /** Names the collection in the store. */
  collection: string;
  resource: string;
  namespace?: string;
  name?: string;
  subresource?: string;
}

/** Where a collection is kept. */
export function collectionOf(apiVersion: string, namespace: string | undefined, resource: string): string {
  return `${apiVersion.includes("/") ? "apis" : "api"}/${apiVersion}/${namespace ?? ""}/${resource}`;
}

/** The parts of a path; undefined where nothing is served. */
export function parsePath(path: string): ApiPath | undefined {
  const parts = path.split("/").slice(1).map(decodeURIComponent);
  const rest = parts[0] === "api" ? parts.slice(2) : parts[0] === "apis" ? parts.slice(3) : [];
  const namespace = rest[0] === "namespaces" && rest.length > 2 ? rest[1] : undefined;
  const [resource, name, subresource] = namespace === undefined ? rest : rest.slice(2);
  if (!resource || resource === "unknowns") return undefined;
  const version = parts.slice(0, parts.length - rest.length);
  return {
    group: parts[0] === "apis" ? parts[1] ?? "" : "",
    collection: `${version.join("/")}/${namespace ?? ""}/${resource}`,
    resource,
    ...namespace === undefined ? {} : { namespace },
    ...name === undefined ? {} : { name },
    ...subresource === undefined ? {} : { subresource },
  };
}

/** The answer to `/version` and to `/apis/<version>`; undefined for any other path. */
export function discovery(path: string, argo: boolean): Response | undefined {
  if (path === "/version") {
    return Response.json({ major: "1", minor: "34", gitVersion: "v1.34.0", platform: "linux/amd64" });
  }
  const version = /^\/apis?\/(.+)$/.exec(path)?.[1] ?? "";
  const served = version === ARGO && !argo ? undefined : SERVED[version];
  if (served === undefined) return undefined;
  const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
  const resources = Object.entries(served).map(([name, kind]) => ({
    name,
    kind,
    singularName: "",
    namespaced: true,
    verbs,
  }));
  return Response.json({ kind: "APIResourceList", apiVersion: "v1", groupVersion: version, resources });
}

export const ARGO = "argoproj.io/v1alpha1";
const SERVED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  v1: {
    ...{ configmaps: "ConfigMap", events: "Event", pods: "Pod", "pods/log": "Pod", "pods/status": "Pod" },
    ...{ secrets: "Secret", serviceaccounts: "ServiceAccount" },
  },
  "apps/v1": { controllerrevisions: "ControllerRevision", deployments: "Deployment" },
  "batch/v1": { cronjobs: "CronJob", "cronjobs/status": "CronJob", jobs: "Job", "jobs/status": "Job" },
  [ARGO]: {
    ...{ cronworkflows: "CronWorkflow", workflows: "Workflow", workflowtaskresults: "WorkflowTaskResult" },
    ...{ workflowtemplates: "WorkflowTemplate" },
  },
};
