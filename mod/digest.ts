/** Canonical JSON and the keyed digest by which two jobs are told equal without keeping their documents. */
import { createHmac } from "node:crypto";

/**
 * RFC 8785 (JSON Canonicalization Scheme). ECMAScript's own number and string forms are the ones that it prescribes;
 * members with the value `undefined` do not exist in JSON and are left out.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    // JCS sorts by UTF-16 code units, which is what the default comparison of strings does.
    members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}

/** HMAC-SHA-256 (hex) of the canonical JSON, keyed with agentId and id, so that equal documents of others don't show. */
export function contentDigest(agentId: string, id: string, content: unknown): string {
  return createHmac("sha256", `${agentId}\n${id}`).update(canonicalJson(content), "utf8").digest("hex");
}
