/** Patches as the API server applies them: RFC 7396 (merge) and the common verbs of RFC 6902 (JSON patch). */
import { isRecord } from "./api_objects.ts";
import { Refusal } from "./api_status.ts";

/** RFC 7396. */
export function merged(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

interface Operation {
  op: string;
  path: string;
  value?: unknown;
}

/** RFC 6902: `add`, `replace`, `remove`, `test`. Throws a Refusal where one does not fit. */
export function jsonPatched(target: unknown, operations: readonly Operation[]): unknown {
  const result = structuredClone(target);
  for (const { op, path, value } of operations) {
    const parts = path.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = parts.pop() ?? "";
    const parent = parts.reduce<unknown>((at, part) => childOf(at, part), result);
    const wrong = new Refusal(
      422,
      "Invalid",
      `the server rejected our request due to an error in our request: ${path}`,
    );
    if (Array.isArray(parent)) {
      const index = last === "-" ? parent.length : Number(last);
      const exists = index < parent.length;
      if (op === "add") parent.splice(index, 0, value);
      else if (!exists || (op === "test" && !same(parent[index], value))) throw wrong;
      else if (op !== "test") parent.splice(index, 1, ...op === "replace" ? [value] : []);
      continue;
    }
    if (!isRecord(parent)) throw wrong;
    const exists = Object.hasOwn(parent, last);
    if ((op === "replace" || op === "remove") && !exists) throw wrong;
    if (op === "test" && !same(parent[last], value)) throw wrong;
    if (op === "add" || op === "replace") parent[last] = value;
    if (op === "remove") delete parent[last];
  }
  return result;
}

function childOf(value: unknown, part: string): unknown {
  if (Array.isArray(value)) return value[Number(part)];
  return isRecord(value) ? value[part] : undefined;
}

/** Equal as JSON, whatever the order of the members. */
export function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, at) => same(item, b[at]));
  if (!isRecord(a) || !isRecord(b)) return a === b;
  const keys = new Set(
    [...Object.keys(a), ...Object.keys(b)].filter((key) => a[key] !== undefined || b[key] !== undefined),
  );
  return [...keys].every((key) => same(a[key], b[key]));
}
