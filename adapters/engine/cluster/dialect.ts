/**
 * In what the two cluster engines differ: types only. Everything else of them is the same code, so both mean the same
 * by every word.
 */
import type { ApiObject } from "../../cluster/target.ts";
import type { JobPod, Placement } from "../pod/port.ts";
import type { RunFacts } from "./facts.ts";
import type { Kind } from "./kinds.ts";
import type { Manifest, ManifestMetadata } from "./manifest.ts";

/** A run that is to be created. */
export interface RunPlan {
  metadata: ManifestMetadata;
  pod: JobPod;
  /** Name of the mutual exclusion; absent where runs of the pipeline may run side by side. */
  mutex?: string;
  /** Another run of the pipeline is live: it must wait. Only where the engine holds no mutex of its own. */
  held: boolean;
}

/** A schedule that is to be created or brought up to date. */
export interface SchedulePlan {
  metadata: ManifestMetadata;
  /** What each minted run is; its name and origin are the engine's. */
  run: Omit<RunPlan, "held" | "metadata"> & { metadata: Omit<ManifestMetadata, "name"> };
  /** Five fields. */
  cron: string;
  /** IANA name. */
  timezone: string;
  enabled: boolean;
}

/** A JSON merge patch (RFC 7396). */
export type Patch = Record<string, unknown>;

/** One write that helps to end a run. */
export interface EndingWrite {
  kind: Kind;
  name: string;
  patch: Patch;
}

/** How one engine writes and reads. */
export interface Dialect {
  readonly engine: "argo" | "kubernetes";
  readonly runs: Kind;
  readonly schedules: Kind;
  /** True where the engine itself makes runs of a pipeline wait for each other. */
  readonly hasMutex: boolean;
  /** What a pod of a minted run is told as its runId. */
  readonly mintedRunId: Placement["runId"];
  run(plan: RunPlan): Manifest;
  schedule(plan: SchedulePlan): Manifest;
  /** What the object says; undefined for one that is not ours or damaged. */
  facts(object: ApiObject): RunFacts | undefined;
  /** The slot that a minted run is of; RFC 3339. */
  slotOf(object: ApiObject): string | undefined;
  /** The label selector of all pods of this run. */
  podsOf(runName: string): string;
  /** The name of the run's object that a pod belongs to. */
  runOf(pod: ApiObject): string | undefined;
  /** What lets a held run go; never called where the engine has a mutex. */
  release(): Patch;
  /**
   * The writes that end a live run, in their order. `annotations` (why it is ended) go into the first of them, on the
   * run's object. `pods`: its pods that have not ended, with whether they have started.
   */
  ending(
    facts: RunFacts,
    annotations: Record<string, string>,
    pods: { name: string; started: boolean }[],
  ): EndingWrite[];
  /** How long the object lives after its end, seconds: a part of a patch on the object. */
  timeToLive(seconds: number): Patch;
  /** Why the schedule will never run, where its object says so (an Argo CronWorkflow accepts any text). */
  scheduleTrouble(object: ApiObject): string | undefined;
  /** Tells for each line of one log, in their order, whether the engine wrote it into the job's output. */
  ownLines(): (line: string) => boolean;
  /** When the schedule minted last; RFC 3339. */
  lastSlot(object: ApiObject): string | undefined;
}
