/** What may stand in a job's document here: credentials only as secret references. */
import { parse } from "yaml";
import { Fault, reasonOf } from "../../mod/fault.ts";
import { isReference, parseReference } from "../../mod/secrets/reference.ts";

/** Names of fields that hold credentials, without case and separators, as OpenMetadata's and others' schemas use them. */
const MASKED = new Set([
  "accesskey",
  "accesstoken",
  "accountkey",
  "apikey",
  "apisecret",
  "apitoken",
  "authtoken",
  "awssecretaccesskey",
  "awssessiontoken",
  "bearertoken",
  "bottoken",
  "clientsecret",
  "connectionstring",
  "consumersecret",
  "jwttoken",
  "oauthtoken",
  "passphrase",
  "passwd",
  "password",
  "personalaccesstoken",
  "privatekey",
  "privatekeypassphrase",
  "pwd",
  "refreshtoken",
  "sastoken",
  "secret",
  "secretaccesskey",
  "secretkey",
  "secretkeyid",
  "securitytoken",
  "sessiontoken",
  "sslkey",
  "token",
]);
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

/** The references of a document that was checked before; none where it cannot be read. */
export function referencesOf(document: string): string[] {
  try {
    const references = new Set<string>();
    walk(parsed(document), "document", undefined, 0, references);
    return [...references].sort();
  } catch {
    return [];
  }
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

/** `masked`: this value stands in a masked field; undefined: nothing is refused, only collected. */
function walk(value: unknown, path: string, masked: boolean | undefined, depth: number, found: Set<string>): void {
  if (depth > MAX_DEPTH) throw new Fault("invalid", "Cannot take the document: it is nested too deeply", { path });
  if (isReference(value)) return void found.add(value);
  if (Array.isArray(value)) {
    return value.forEach((item, index) => walk(item, `${path}[${index}]`, masked, depth + 1, found));
  }
  if (value !== null && typeof value === "object") {
    for (const [key, member] of Object.entries(value)) {
      const inside = masked === undefined ? undefined : masked || isMasked(key);
      // An object in a masked field is a structure with names of its own (a private key's parts, a token's options).
      const isStructure = member !== null && typeof member === "object" && !Array.isArray(member);
      walk(member, `${path}.${key}`, isStructure ? inside && masked : inside, depth + 1, found);
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

function isMasked(key: string): boolean {
  return MASKED.has(key.toLowerCase().replaceAll(/[^a-z0-9]/g, ""));
}
