/** `[k1:v1,k2:v2]`: how the incumbent's chart hands variables over (INGESTION_EXTRA_ENVS). */
import { isVariable } from "./words.ts";

const NEXT = /,\s*(?=[A-Za-z_][A-Za-z0-9_]*:)/;

/**
 * The variables in their order; undefined for another form. A value may hold colons, and commas too unless a name and
 * a colon follow: there the next variable begins. Of a name that is repeated the last value counts.
 */
export function parseExtraEnv(text: string): [name: string, value: string][] | undefined {
  const inner = /^\s*\[([^]*)\]\s*$/.exec(text)?.[1]?.trim();
  if (inner === undefined) return undefined;
  const variables = new Map<string, string>();
  for (const pair of inner === "" ? [] : inner.split(NEXT)) {
    const at = pair.indexOf(":"), name = pair.slice(0, at).trim();
    if (at < 0 || !isVariable(name)) return undefined;
    variables.set(name, pair.slice(at + 1));
  }
  return [...variables];
}

/** The text of variables: what `parseExtraEnv` reads. */
export function formatExtraEnv(variables: readonly (readonly [name: string, value: string])[]): string {
  return `[${variables.map(([name, value]) => `${name}:${value}`).join(",")}]`;
}
