/** What the fake API server knows of objects: labels, names, merge patches. */

/** Any object as it is kept. */
export interface Stored {
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    labels?: Record<string, string>;
  };
  [field: string]: unknown;
}

/** Equality-based selectors: `a=b,c!=d,e`. */
export function matches({ metadata: { labels = {} } }: Stored, selector: string | null): boolean {
  return (selector ?? "").split(",").filter(Boolean).every((term) => {
    const [, key = "", operator, value] = /^([^!=]+)(!?=)?(.*)$/.exec(term) ?? [];
    if (operator === "!=") return labels[key] !== value;
    return operator === "=" ? labels[key] === value : key in labels;
  });
}

/** Why a name is none (RFC 1123), or undefined. */
export function wrongName(name: unknown): string | undefined {
  if (typeof name === "string" && /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name)) return undefined;
  return `Invalid value: "${name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters`;
}

/** RFC 7396. */
export function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === "object" && target !== null && !Array.isArray(target)
    ? { ...target }
    : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
