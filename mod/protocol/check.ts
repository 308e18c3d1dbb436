/** The one door where a value becomes typed: checked by a schema, whatever the value; never throws. */
import type * as z from "zod/mini";

/** The typed value, or the first thing that is wrong with it as path and sentence. */
export type Checked<T> = { ok: true; data: T } | { ok: false; path: string; text: string };

/** Checks a value. The sentence does not show the value itself: it may be a secret. */
export function check<S extends z.ZodMiniType>(schema: S, value: unknown): Checked<z.infer<S>> {
  try {
    const result = schema.safeParse(value);
    return result.success ? { ok: true, data: result.data } : { ok: false, ...issueOf(result.error) };
  } catch {
    // zod compares the `length` of whatever stands where a text should: one that is an object may not be comparable.
    return { ok: false, path: "", text: "it is not what it should be" };
  }
}

function issueOf(error: z.core.$ZodError): { path: string; text: string } {
  const issue = error.issues[0];
  const path = issue?.path.map(String).join(".") ?? "";
  return { path, text: path === "" ? `${issue?.message}` : `${path}: ${issue?.message}` };
}
