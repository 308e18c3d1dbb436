/** Which fields hold credentials, by their names. */

/** What the name of such a field ends with, without case and separators. */
const ENDINGS = [
  "password",
  "passwords",
  "passwd",
  "pwd",
  "passphrase",
  "secret",
  "secretkey",
  "secretkeyid",
  "token",
  "apikey",
  "accesskey",
  "accountkey",
  "privatekey",
  "sslkey",
  "userinfo",
  "jaasconfig",
  "connectionstring",
];
/** Names that end so and hold none: a place in a list of pages, not a right. */
const HARMLESS = new Set(["continuationtoken", "nextpagetoken", "nexttoken", "pagetoken"]);
/** A structure under such a name has fields of its own, plain ones too (BigQuery's `credentials: {gcpConfig: …}`). */
const STRUCTURES = ["credential", "credentials"];

/**
 * masked: neither it nor anything below it may be plain text; structure: plain text is refused, and what is below it
 * is judged by its own name.
 */
export type Masking = "masked" | "structure" | "plain";

/** Judges a field by its name. */
export function maskingOf(name: string): Masking {
  const bare = name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  if (HARMLESS.has(bare)) return "plain";
  if (ENDINGS.some((ending) => bare.endsWith(ending))) return "masked";
  return STRUCTURES.some((ending) => bare.endsWith(ending)) ? "structure" : "plain";
}
