/** The job: one schema that protocol, engines, policy, bridge and signing share. */
import * as z from "zod/mini";
import { JobKind, Revision } from "./run.ts";

/** The longest document, in UTF-8 bytes: what still fits into a Kubernetes Secret with its envelope. */
export const DOCUMENT_LIMIT_BYTES = 900 * 1024;

const Quantity = z.string().check(z.regex(/^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/));
const ResourceList = z.object({ cpu: z.optional(Quantity), memory: z.optional(Quantity) });

const forbiddenEnv = /^(LD_.*|PYTHON.*|PATH|config)$/;
const reservedLabel = /(^|\.)(kubernetes\.io|k8s\.io|hybrid-runner\.dev)\//;
const utf8 = new TextEncoder();

/** Environment names that may travel at all; which of them are let in is the policy's to say. */
const WireEnv = z.record(
  z.string().check(
    z.regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
    z.refine((name) => !forbiddenEnv.test(name), "LD_*, PYTHON*, PATH and config are never taken from the wire"),
  ),
  z.string().check(z.refine((value) => !value.startsWith("secret:"), "a secret reference belongs in the document")),
);

const WireLabels = z.record(
  z.string().check(
    z.refine((key) => !reservedLabel.test(key), "labels under kubernetes.io, k8s.io or ours are reserved"),
  ),
  z.string().check(z.maxLength(63)),
);

export const Job = z.object({
  kind: JobKind,
  pipelineId: z.string().check(z.minLength(1), z.maxLength(512)),
  name: z.string().check(z.minLength(1), z.maxLength(512)),
  /** OpenMetadata's pipeline type (metadata, usage, …); unknown ones run with the default settings. */
  type: z.string().check(z.minLength(1), z.maxLength(128)),
  /** Rises with every change of the pipeline. */
  revision: Revision,
  /** The configuration as YAML or JSON text, with secret references in place of credentials. */
  document: z.string().check(
    z.refine((text) => text.length <= DOCUMENT_LIMIT_BYTES && utf8.encode(text).length <= DOCUMENT_LIMIT_BYTES, {
      error: "the document is larger than 900 KiB",
    }),
  ),
  /** Five-field cron text. */
  schedule: z.optional(z.string().check(z.maxLength(256))),
  /** IANA time zone of the schedule; UTC where absent. */
  timezone: z.optional(z.string().check(z.maxLength(64))),
  enabled: z.boolean(),
  /** 1: runs of a pipeline exclude each other. */
  maxActiveRuns: z.union([z.literal(1), z.literal("unlimited")]),
  deadlineSeconds: z.optional(z.int().check(z.positive())),
  retries: z.optional(z.int().check(z.nonnegative(), z.maximum(10))),
  image: z.optional(z.string().check(z.maxLength(512))),
  resources: z.optional(z.object({ requests: z.optional(ResourceList), limits: z.optional(ResourceList) })),
  serviceAccount: z.optional(z.string().check(z.maxLength(253))),
  env: z.optional(WireEnv),
  labels: z.optional(WireLabels),
});
export type Job = z.infer<typeof Job>;
