/** What a schema says of a value, as sentences that a person can act on: each with the path of what is wrong. */
import type * as z from "zod/mini";

/** A checked value, or each thing that is wrong with it. */
export type Checked<T> = { value: T; problems?: undefined } | { value?: undefined; problems: string[] };

/** Every problem of a check, a sentence each with its path. */
export function problemsOf(error: { issues: readonly Issue[] }): string[] {
  return error.issues.flatMap((issue) => sentences(issue, []));
}

/** One finding of a schema. */
export type Issue = z.core.$ZodIssue;

/** "Invalid input" and "Invalid key" say nothing; what is below them does. */
function sentences(issue: Issue, above: readonly PropertyKey[]): string[] {
  const path = [...above, ...issue.path];
  if (issue.code === "invalid_key") return issue.issues.flatMap((inner) => sentences(inner, path));
  if (issue.code === "invalid_union") {
    // Of several forms the one that fits further than its outermost type was meant.
    const meant = issue.errors.find((inner) =>
      inner.some((each) => each.code !== "invalid_type" || each.path.length > 0)
    );
    if (meant) return meant.flatMap((inner) => sentences(inner, path));
  }
  return [`${path.map(String).join(".") || "the file"}: ${issue.message}`];
}
