/** The YAML settings file: what is structured. Unknown keys are refused, so that a typo is never a silent default. */
import * as z from "zod/mini";
import "../mod/messages.ts";

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
});
export type FileSettings = z.infer<typeof FileSettings>;

/** Checks the parsed file; all problems at once, each with its path. */
export function readFileSettings(value: unknown): { file: FileSettings; problems: string[] } {
  const checked = FileSettings.safeParse(value);
  if (checked.success) return { file: checked.data, problems: [] };
  const problems = checked.error.issues.map((issue) =>
    `${issue.path.map(String).join(".") || "the file"}: ${issue.message}`
  );
  return { file: {}, problems };
}
