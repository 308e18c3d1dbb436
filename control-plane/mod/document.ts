/** What may stand in a job's document here: credentials only as secret references. */
import { parse } from "yaml";
import { Fault, reasonOf } from "../../mod/fault.ts";
import { isReference, parseReference } from "../../mod/secrets/reference.ts";
import { maskingOf } from "./masked.ts";

const MAX_DEPTH = 100;

/**
 * Refuses a document with plain text in a masked field and names the field, never the value. Returns the distinct
 * references in it, sorted. Faults: `invalid`, with the path.
 */
export function checkDocument(document: string): string[] {
  const references = new Set<string>();
  walk(parsed(document), "document", false, 0, references);
  for (const reference of references) parseReference(reference);
  return [...references].sort();
}

function parsed(document: string): unknown {
  try {
    return parse(document, { maxAliasCount: 100, logLevel: "error" });
  } catch (error) {
    // The parser's message quotes the text, and that may be a credential: its position is enough.
    const place = /at line \d+, column \d+/.exec(reasonOf(error))?.[0] ?? "";
    throw new Fault("invalid", `Cannot take the document: it is neither YAML nor JSON ${place}`.trimEnd(), {
      path: "document",
    });
  }
}

/** `masked`: this value stands in a masked field, or below one. */
function walk(given: unknown, path: string, masked: boolean, depth: number, found: Set<string>): void {
  const value = plainOf(given);
  if (depth > MAX_DEPTH) throw new Fault("invalid", "Cannot take the document: it is nested too deeply", { path });
  if (isReference(value)) return void found.add(value);
  if (Array.isArray(value)) {
    return value.forEach((item, index) => walk(item, `${path}[${index}]`, masked, depth + 1, found));
  }
  if (value !== null && typeof value === "object") {
    for (const [key, member] of Object.entries(value)) {
      walk(member, `${path}.${key}`, masked || isMasked(key, member), depth + 1, found);
    }
    return;
  }
  const isPlain = (typeof value === "string" && value !== "") || typeof value === "number" || typeof value === "bigint";
  if (masked && isPlain) {
    throw new Fault(
      "invalid",
      `Cannot take the document: ${path} holds plain text; put the value into your secret store and write a ` +
        `reference (secret:/path/of/it) here`,
      { path },
    );
  }
}

/** What YAML 1.1 makes of its tags (!!omap, !!set, timestamps), as what it would be without them. */
function plainOf(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  return value instanceof Date ? String(value) : value;
}

function isMasked(key: string, given: unknown): boolean {
  const masking = maskingOf(key), member = plainOf(given);
  const isStructure = member !== null && typeof member === "object" && !Array.isArray(member);
  return masking === "masked" || (masking === "structure" && !isStructure);
}
