/** What REST takes, as schemas; what it answers is in `views.ts`. Unknown members are refused: a typo is not a wish. */
import * as z from "zod/mini";
import { Job } from "../../mod/job.ts";

const { revision: _revision, kind: _kind, pipelineId: _pipelineId, ...pipelineShape } = Job.shape;

/** PUT pipelines/{id}: the job without its revision, which is ours to give, and where it runs. */
export const PutPipeline = z.strictObject({
  ...pipelineShape,
  kind: z._default(z.literal("pipeline"), "pipeline"),
  agentId: z.string().check(z.minLength(1), z.maxLength(512)),
  enabled: z._default(z.boolean(), true),
  maxActiveRuns: z._default(Job.shape.maxActiveRuns, 1),
});

/** POST pipelines/{id}/toggle. */
export const TogglePipeline = z.strictObject({ enabled: z.boolean() });

/** POST canary. */
export const StartCanary = z.strictObject({ agentId: z.string().check(z.minLength(1), z.maxLength(512)) });

const { revision: _own, ...ownShape } = Job.shape;

/** POST automations: a job of kind automation or application, run once. */
export const StartOwn = z.strictObject({
  agentId: z.string().check(z.minLength(1), z.maxLength(512)),
  job: z.strictObject({
    ...ownShape,
    kind: z._default(z.enum(["automation", "application"]), "automation"),
    revision: z._default(z.int().check(z.nonnegative()), 0),
    enabled: z._default(z.boolean(), true),
    maxActiveRuns: z._default(Job.shape.maxActiveRuns, "unlimited"),
  }),
});

/** Bodies that may be empty. */
export const Nothing = z.union([z.undefined(), z.strictObject({})]);
