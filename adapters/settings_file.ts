/** The YAML settings file: what is structured. Unknown keys are refused, so that a typo is never a silent default. */
import * as z from "zod/mini";
import "../mod/messages.ts";
import { PipelineTypes } from "./engine/pod/row.ts";
import { type Checked, problemsOf } from "./problems.ts";

/** How the local engine runs jobs of a pipeline type. */
const LocalCommand = z.strictObject({
  command: z.string().check(z.minLength(1)),
  args: z._default(z.array(z.string()), []),
  env: z.optional(z.record(z.string(), z.string())),
});

const FileSettings = z.strictObject({
  local: z.optional(z.strictObject({
    /** By pipeline type; `default` serves the others. */
    commands: z.record(z.string(), LocalCommand),
    /** Between SIGTERM and SIGKILL of a stopped job. */
    graceSeconds: z.optional(z.number().check(z.nonnegative())),
    maxRuns: z.optional(z.int().check(z.positive())),
  })),
  /** The pods of the cluster engines. */
  ingestion: z.optional(z.strictObject({
    /** By pipeline type; `default` holds for all, `pipeline`, `automation` and `application` for a kind of job. */
    pipelineTypes: z.optional(PipelineTypes),
  })),
});
export type FileSettings = z.infer<typeof FileSettings>;

/** Checks the parsed file; all problems at once, each with its path. */
export function readFileSettings(value: unknown): Checked<FileSettings> {
  return checked(FileSettings, value);
}

/** Checks the rows that a variable gives as JSON, in the same way. */
export function readPipelineTypes(value: unknown): Checked<PipelineTypes> {
  return checked(PipelineTypes, value);
}

function checked<T>(schema: z.ZodMiniType<T>, value: unknown): Checked<T> {
  const read = schema.safeParse(value);
  return read.success ? { value: read.data } : { problems: problemsOf(read.error) };
}
