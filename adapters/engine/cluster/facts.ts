/**
 * What is kept of an object of the cluster: the few fields that decide how a run goes, never the object itself (of
 * 5,000 runs these are kilobytes, those would be tens of megabytes).
 */
import * as z from "zod/mini";
import type { ApiObject } from "../../cluster/target.ts";
import { MAIN, RESOLVE } from "../pod/names.ts";
import type { Marks } from "./marks.ts";

/** A run's object as either engine's own status tells it. */
export interface RunFacts {
  name: string;
  uid: string;
  /** RFC 3339, whole seconds, by the API server's clock. */
  created: string;
  marks: Marks;
  /** Being deleted: finalizers hold it still. */
  deleting: boolean;
  /** `held`: a Job that is born suspended, or a Workflow that waits for its mutex. */
  phase: "held" | "pending" | "running" | "succeeded" | "failed";
  /** What the engine itself says of it: the condition's or the Workflow's message. */
  message?: string;
  /** The engine's own word for it, such as a Job condition's reason. */
  reason?: string;
  /** RFC 3339; when the engine began and ended it. */
  startedAt?: string;
  finishedAt?: string;
  /** Somebody asked the engine to end it (a Workflow's `spec.shutdown`). */
  shutdown: boolean;
}

/** One container of a pod. */
export interface ContainerFacts {
  name: string;
  state: "waiting" | "running" | "terminated";
  reason?: string;
  message?: string;
  exitCode?: number;
  signal?: number;
  startedAt?: string;
  finishedAt?: string;
}

/** One attempt's pod. */
export interface PodFacts {
  name: string;
  uid: string;
  created: string;
  deleting: boolean;
  phase: string;
  reason?: string;
  message?: string;
  startTime?: string;
  node?: string;
  /** Between SIGTERM and SIGKILL, seconds. */
  graceSeconds?: number;
  /** Why it is not scheduled, where the scheduler says so. */
  unschedulable?: string;
  /** The job's container; absent before the kubelet has said anything of it. */
  main?: ContainerFacts;
  /** Our init container. */
  resolve?: ContainerFacts;
  /** The engine's own init container, and sidecars. */
  others: ContainerFacts[];
  /** The job's image as it was asked for. */
  image: string;
  /** Evicted by the kubelet, preempted, or its node is going away. */
  disrupted?: string;
}

const text = z.optional(z.string());
const State = z.optional(z.object({
  waiting: z.optional(z.object({ reason: text, message: text })),
  running: z.optional(z.object({ startedAt: text })),
  terminated: z.optional(z.object({
    exitCode: z.number(),
    signal: z.optional(z.number()),
    reason: text,
    message: text,
    startedAt: z.nullish(z.string()),
    finishedAt: z.nullish(z.string()),
  })),
}));
const Containers = z.optional(z.array(z.object({ name: z.string(), state: State, lastState: State })));
const Pod = z.object({
  metadata: z.object({ creationTimestamp: z.string(), deletionTimestamp: text }),
  spec: z.object({
    nodeName: text,
    terminationGracePeriodSeconds: z.optional(z.number()),
    containers: z.array(z.object({ name: z.string(), image: z.optional(z.string()) })),
  }),
  status: z.optional(z.object({
    phase: text,
    reason: text,
    message: text,
    startTime: text,
    conditions: z.optional(z.array(z.object({ type: z.string(), status: z.string(), reason: text, message: text }))),
    containerStatuses: Containers,
    initContainerStatuses: Containers,
  })),
});

/** The facts of a pod; undefined for what is no pod as the API describes it. */
export function podFacts(object: ApiObject): PodFacts | undefined {
  const read = Pod.safeParse(object);
  if (!read.success) return undefined;
  const { metadata, spec, status = {} } = read.data;
  const containers = (status.containerStatuses ?? []).map(containerFacts);
  const inits = (status.initContainerStatuses ?? []).map(containerFacts);
  const all = [...inits, ...containers];
  const main = containers.find(({ name }) => name === MAIN), resolve = inits.find(({ name }) => name === RESOLVE);
  const scheduled = status.conditions?.find(({ type }) => type === "PodScheduled");
  const disruption = status.conditions?.find(({ type, status }) => type === "DisruptionTarget" && status === "True");
  const disrupted = status.reason === "Evicted" ? status.message ?? "Evicted" : disruption?.message;
  return {
    name: object.metadata.name,
    uid: object.metadata.uid,
    created: metadata.creationTimestamp,
    deleting: metadata.deletionTimestamp !== undefined,
    phase: status.phase ?? "Pending",
    image: spec.containers.find(({ name }) => name === MAIN)?.image ?? "",
    others: all.filter((container) => container !== main && container !== resolve),
    ...defined({
      reason: status.reason,
      message: status.message,
      startTime: status.startTime,
      node: spec.nodeName,
      graceSeconds: spec.terminationGracePeriodSeconds,
      main,
      resolve,
      disrupted,
      unschedulable: scheduled?.status === "False" && scheduled.reason === "Unschedulable"
        ? scheduled.message ?? "no node takes it"
        : undefined,
    }),
  };
}

function containerFacts({ name, state = {} }: { name: string; state?: z.infer<typeof State> }): ContainerFacts {
  const { terminated, running, waiting } = state;
  if (terminated) {
    return {
      name,
      state: "terminated",
      ...defined({
        exitCode: terminated.exitCode,
        signal: terminated.signal || undefined,
        reason: terminated.reason,
        message: terminated.message,
        // A container that never ran is given the epoch.
        startedAt: timeOf(terminated.startedAt),
        finishedAt: timeOf(terminated.finishedAt),
      }),
    };
  }
  if (running) return { name, state: "running", ...defined({ startedAt: timeOf(running.startedAt) }) };
  return { name, state: "waiting", ...defined({ reason: waiting?.reason, message: waiting?.message }) };
}

/** A time that is one: the API writes the epoch, or null, for "never". */
export function timeOf(text: string | null | undefined): string | undefined {
  return text && Date.parse(text) > 0 ? text : undefined;
}

/** Without what is undefined. */
export function defined<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
