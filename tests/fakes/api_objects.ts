/** What the fake API server knows of objects: what they have in common, and how they are selected. */
import type { OwnerReference } from "../../adapters/engine/cluster/manifest.ts";

/** Any object as it is kept; never changed in place. */
export interface Stored {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    /** RFC 3339 in whole seconds. */
    creationTimestamp: string;
    deletionTimestamp?: string;
    deletionGracePeriodSeconds?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    finalizers?: string[];
    ownerReferences?: (OwnerReference & { blockOwnerDeletion?: boolean })[];
  };
  [field: string]: unknown;
}

/** Label selectors: `a=b`, `a==b`, `c!=d`, `e`, `!e`, `f in (x,y)`, `g notin (z)`. */
export function matches({ metadata: { labels = {} } }: Stored, selector: string | null): boolean {
  return termsOf(selector).every((term) => {
    const [, key = "", not, list = ""] = /^(\S+) +(not)?in +\((.*)\)$/.exec(term) ?? [];
    if (key !== "") {
      return list.split(",").map((value) => value.trim()).includes(labels[key] ?? "\0") !== (not === "not");
    }
    const [, no, name = "", operator, value] = /^(!)?([^!=]+)(!=|==?)?(.*)$/.exec(term) ?? [];
    if (operator === "!=") return labels[name] !== value;
    return operator ? labels[name] === value : (name in labels) === (no === undefined);
  });
}

/** Field selectors: `metadata.name=x,status.phase!=Failed`. */
export function matchesFields(object: Stored, selector: string | null): boolean {
  return termsOf(selector).every((term) => {
    const [, path = "", operator, value] = /^([^!=]+)(!=|==?)(.*)$/.exec(term) ?? [];
    return (String(at(object, path) ?? "") === value) === (operator !== "!=");
  });
}

/** The first field that the API cannot select by, or undefined; what it can differs by kind. */
export function wrongField(resource: string, selector: string | null): string | undefined {
  const known = ["metadata.name", "metadata.namespace", ...FIELDS[resource] ?? []];
  return termsOf(selector).map((term) => term.split(/!?=/)[0] ?? "").find((field) => !known.includes(field));
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  pods: ["spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"],
  jobs: ["status.successful"],
  secrets: ["type"],
  events: [
    ...["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"].map((f) =>
      `involvedObject.${f}`
    ),
    ...["reason", "reportingComponent", "source", "type"],
  ],
};

/** Commas within parentheses divide values, not terms. */
function termsOf(selector: string | null): string[] {
  return (selector ?? "").split(/,(?![^(]*\))/).map((term) => term.trim()).filter(Boolean);
}

function at(object: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => isRecord(value) ? value[key] : undefined, object);
}

/** True for what has fields by name. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** RFC 3339 in UTC in whole seconds, as the API writes times. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
