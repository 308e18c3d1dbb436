/** What a request is about: the parts of an API path, and the few fields that every object has. */
import * as z from "zod/mini";

/** One kind of object: `{ apiVersion: "batch/v1", resource: "jobs" }`. */
export interface ApiResource {
  readonly apiVersion: string;
  /** The plural, as RBAC names it. */
  readonly resource: string;
}

/** A collection, or with `name` one object of it; without `namespace` those of the whole cluster. */
export interface Target extends ApiResource {
  readonly namespace?: string;
  readonly name?: string;
  /** `log`, `status`, `token`… */
  readonly subresource?: string;
}

/** The verbs of Kubernetes' authorization. */
export type ApiVerb = "get" | "list" | "watch" | "create" | "patch" | "delete";

/** Any object of the API; what else it holds is its reader's to check. */
export const ApiObject = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.optional(z.string()),
    uid: z.string(),
    resourceVersion: z.string(),
    labels: z.optional(z.record(z.string(), z.string())),
    annotations: z.optional(z.record(z.string(), z.string())),
  }),
});
export type ApiObject = z.infer<typeof ApiObject>;

/** The path under the server's address; every part is escaped. */
export function pathOf({ apiVersion, namespace, resource, name, subresource }: Target): string {
  const parts = [...apiVersion.includes("/") ? ["apis", ...apiVersion.split("/")] : ["api", apiVersion]];
  if (namespace !== undefined) parts.push("namespaces", namespace);
  // Without a resource: the page that says what a version serves.
  if (resource !== "") parts.push(resource);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return "/" + parts.map(encodeURIComponent).join("/");
}

/** `jobs.batch "x" in namespace y`, as people read it. */
export function spoken(target: Target): string {
  const name = target.name === undefined ? "" : ` "${target.name}"`;
  const where = target.namespace === undefined ? "" : ` in namespace ${target.namespace}`;
  return `${granted(target)}${name}${where}`;
}

/** `pods/log` or `jobs.batch`: what a Role must name. */
export function granted({ apiVersion, resource, subresource }: Target): string {
  const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : "";
  return `${resource}${subresource === undefined ? "" : `/${subresource}`}${group}`;
}
