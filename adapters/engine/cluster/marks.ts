/**
 * What we write on our objects: labels hold hashes and short words, annotations the full texts. Frozen by test vectors:
 * under other names a newer runner would not find what an older one made.
 */
import * as z from "zod/mini";
import type { ApiObject } from "../../cluster/target.ts";
import { agentHash, base32, pipelineName } from "../../../mod/names.ts";
import { JobKind, type Origin } from "../../../mod/run.ts";

const PREFIX = "hybrid-runner.dev/";

/** Hashes and short words: what objects are selected by. */
export const LABELS = {
  managedBy: "app.kubernetes.io/managed-by",
  agent: `${PREFIX}agent`,
  pipeline: `${PREFIX}pipeline`,
  run: `${PREFIX}run`,
  revision: `${PREFIX}revision`,
  type: `${PREFIX}type`,
  origin: `${PREFIX}origin`,
  acknowledged: `${PREFIX}acknowledged`,
} as const;

/** Full texts, and what is written down later. */
export const ANNOTATIONS = {
  agentId: `${PREFIX}agent-id`,
  pipelineId: `${PREFIX}pipeline-id`,
  pipelineName: `${PREFIX}pipeline-name`,
  runId: `${PREFIX}run-id`,
  jobKind: `${PREFIX}job-kind`,
  received: `${PREFIX}received`,
  accepted: `${PREFIX}accepted`,
  scheduledAt: `${PREFIX}scheduled-at`,
  /** HMAC of what was asked, to tell a repeat from another content. */
  contentDigest: `${PREFIX}content-digest`,
  /** Of what we rendered into an object that is updated in place, to tell whether it is still what we would write. */
  renderedDigest: `${PREFIX}rendered-digest`,
  /** On a run with a document of its own: the Secret that holds it. */
  documentSecret: `${PREFIX}document-secret`,
  /** `1` or `unlimited`. */
  maxActiveRuns: `${PREFIX}max-active-runs`,
  deadlineSeconds: `${PREFIX}deadline-seconds`,
  retries: `${PREFIX}retries`,
  /** Why we ended a run: `stop`, `deadline` or a reason code. */
  endedBy: `${PREFIX}ended-by`,
  endedMessage: `${PREFIX}ended-message`,
  endedAt: `${PREFIX}ended-at`,
  /** The pipeline was removed: the run's object goes as soon as its end is acknowledged. */
  removed: `${PREFIX}removed`,
  /** On a revision: it is complete (its Secret exists), and what the last toggle said. */
  ready: `${PREFIX}ready`,
  enabled: `${PREFIX}enabled`,
  commandRevision: `${PREFIX}command-revision`,
} as const;

/** What an object of ours says of itself, typed. */
export interface Marks {
  pipelineId: string;
  pipelineName: string;
  /** The hash of the pipeline's id, as in the label. */
  pipelineHash: string;
  /** Absent on what a schedule minted: there it is the object's uid. */
  runId?: string;
  jobKind: JobKind;
  type: string;
  revision: number;
  origin: Origin;
  received?: string;
  accepted?: string;
  scheduledAt?: string;
  contentDigest?: string;
  documentSecret?: string;
  maxActiveRuns: 1 | "unlimited";
  deadlineSeconds?: number;
  retries: number;
  acknowledged: boolean;
  endedBy?: string;
  endedMessage?: string;
  endedAt?: string;
  removed: boolean;
}

const whole = z.pipe(z.string().check(z.regex(/^\d{1,10}$/)), z.transform(Number));

/** The marks of an object; undefined where it bears none of ours or damaged ones. */
export function marksOf({ metadata: { labels = {}, annotations = {} } }: ApiObject): Marks | undefined {
  const revision = whole.safeParse(labels[LABELS.revision]);
  const jobKind = JobKind.safeParse(annotations[ANNOTATIONS.jobKind]);
  const pipelineId = annotations[ANNOTATIONS.pipelineId], pipelineHash = labels[LABELS.pipeline];
  if (!revision.success || !jobKind.success || pipelineId === undefined || pipelineHash === undefined) return undefined;
  const deadline = whole.safeParse(annotations[ANNOTATIONS.deadlineSeconds]);
  const retries = whole.safeParse(annotations[ANNOTATIONS.retries]);
  return {
    pipelineId,
    pipelineName: annotations[ANNOTATIONS.pipelineName] ?? pipelineId,
    pipelineHash,
    jobKind: jobKind.data,
    type: labels[LABELS.type] ?? "",
    revision: revision.data,
    origin: labels[LABELS.origin] === "schedule" ? "schedule" : "command",
    maxActiveRuns: annotations[ANNOTATIONS.maxActiveRuns] === "1" ? 1 : "unlimited",
    retries: retries.success ? retries.data : 0,
    acknowledged: labels[LABELS.acknowledged] === "true",
    removed: annotations[ANNOTATIONS.removed] === "true",
    ...optional("runId", annotations[ANNOTATIONS.runId]),
    ...optional("received", annotations[ANNOTATIONS.received]),
    ...optional("accepted", annotations[ANNOTATIONS.accepted]),
    ...optional("scheduledAt", annotations[ANNOTATIONS.scheduledAt]),
    ...optional("contentDigest", annotations[ANNOTATIONS.contentDigest]),
    ...optional("documentSecret", annotations[ANNOTATIONS.documentSecret]),
    ...deadline.success ? { deadlineSeconds: deadline.data } : {},
    ...optional("endedBy", annotations[ANNOTATIONS.endedBy]),
    ...optional("endedMessage", annotations[ANNOTATIONS.endedMessage]),
    ...optional("endedAt", annotations[ANNOTATIONS.endedAt]),
  };
}

/** The label by which everything of one runner is found. */
export function ownLabels(agentId: string): Record<string, string> {
  return { [LABELS.managedBy]: "hybrid-runner", [LABELS.agent]: agentHash(agentId) };
}

/** The labels of everything that belongs to one pipeline. */
export function pipelineLabels(agentId: string, pipelineId: string): Record<string, string> {
  return { ...ownLabels(agentId), [LABELS.pipeline]: pipelineHash(agentId, pipelineId) };
}

/** The hash of a pipeline's id, as its label and its name carry it. */
export function pipelineHash(agentId: string, pipelineId: string): string {
  return pipelineName(agentId, pipelineId).split("-").at(-1) ?? "";
}

/** A label's value made of any text: what a label cannot hold becomes `_`, and what is odd at the ends goes. */
export function labelOf(text: string): string {
  const shown = text.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 63).replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "");
  return shown === "" ? base32(new TextEncoder().encode(text)).slice(0, 8) || "none" : shown;
}

/** `a=b,c=d`: a selector of exactly these labels, and of what is not acknowledged if so asked. */
export function selectorOf(labels: Record<string, string>, { unacknowledged = false } = {}): string {
  const terms = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return [...terms, ...unacknowledged ? [`${LABELS.acknowledged}!=true`] : []].join(",");
}

function optional<K extends string>(key: K, value: string | undefined): { [key in K]?: string } {
  return value === undefined ? {} : { [key]: value } as { [key in K]?: string };
}
