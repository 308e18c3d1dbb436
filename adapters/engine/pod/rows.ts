/** Which rows of the settings a job's pod follows, and what they say together. */
import type { JobKind } from "../../../mod/run.ts";
import type { EnvVar } from "../cluster/manifest.ts";
import type { PipelineTypes, PodRow } from "./row.ts";

/** A row with what only the custom spec files can say. */
export interface Shape extends PodRow {
  /** Further fields of the container. */
  container?: Record<string, unknown>;
  /** Of the pod's security context, what the Restricted standard leaves open. */
  podSecurity?: Record<string, unknown>;
  /** Of the container's. */
  runAsGroup?: number;
}

const KINDS: readonly string[] = ["default", "pipeline", "automation", "application"];

/** What all rows for a job say together: `base` < default < kind < type. */
export function shapeOf(base: Shape, types: PipelineTypes, kind: JobKind, type: string): Shape {
  // A type that is called like a kind is none: its row would be that of other jobs.
  const keys = ["default", kind, ...KINDS.includes(type) ? [] : [type]];
  return keys.reduce((shape, key) => Object.hasOwn(types, key) ? merged(shape, types[key] ?? {}) : shape, base);
}

/** Two tables as one; where both have a row, `more` says the last word. */
export function mergedTypes(less: PipelineTypes, more: PipelineTypes): PipelineTypes {
  const keys = [...new Set([...Object.keys(less), ...Object.keys(more)])];
  return Object.fromEntries(keys.map((key) => [key, merged(less[key] ?? {}, more[key] ?? {})]));
}

/** Maps and named lists are joined, member by member; of anything else the more specific one counts. */
export function merged<T extends Shape>(less: Shape, more: T): Shape {
  const both = <K extends keyof Shape>(
    key: K,
    join: (a: NonNullable<Shape[K]>, b: NonNullable<Shape[K]>) => unknown,
  ) => {
    const a = less[key], b = more[key];
    if (a === undefined || a === null || b === undefined || b === null) return {};
    return { [key]: join(a, b) };
  };
  const maps = <A extends object, B extends object>(a: A, b: B) => ({ ...a, ...b });
  return {
    ...less,
    ...more,
    ...both("labels", maps),
    ...both("annotations", maps),
    ...both("nodeSelector", maps),
    ...both("container", maps),
    ...both("podSecurity", maps),
    ...both("env", (a, b) => mergedEnv(a, b)),
    ...both("volumes", (a, b) => joined(a, b, ({ name }) => name)),
    ...both("volumeMounts", (a, b) => joined(a, b, ({ mountPath }) => mountPath)),
    ...both("tolerations", (a, b) => joined(a, b, (toleration) => JSON.stringify(toleration))),
    ...both("imagePullSecrets", (a, b) => joined(a, b, ({ name }) => name)),
    ...both("hostAliases", (a, b) => joined(a, b, ({ ip }) => ip)),
    ...both("resources", (a, b) => ({
      requests: { ...a.requests, ...b.requests },
      limits: { ...a.limits, ...b.limits },
    })),
  };
}

/** Variables by name: the last one of a name counts, in the place of the first. */
export function mergedEnv(...lists: readonly (readonly EnvVar[])[]): EnvVar[] {
  return lists.reduce<EnvVar[]>((all, list) => joined(all, list, ({ name }) => name), []);
}

function joined<T>(a: readonly T[], b: readonly T[], identity: (item: T) => string): T[] {
  const all = new Map(a.map((item) => [identity(item), item]));
  for (const item of b) all.set(identity(item), item);
  return [...all.values()];
}
