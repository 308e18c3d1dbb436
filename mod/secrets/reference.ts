/** The grammar of a secret reference: `secret:PATH[?version=V][#KEY]`. References are never decoded or normalised. */
import { Fault } from "../fault.ts";

/** What every reference begins with. */
export const REFERENCE_PREFIX = "secret:";

/** The longest reference, in characters (UTF-16 code units). */
export const REFERENCE_LIMIT = 1024;

/** A well-formed reference, taken apart. */
export interface Reference {
  /** As it was written. */
  readonly text: string;
  /** What follows `secret:`, as it stands, a leading slash kept; without version and key. */
  readonly name: string;
  /** The name without its one leading slash. */
  readonly path: string;
  /** `?version=`: which version is wanted. */
  readonly version?: string;
  /** `#`: which member of a JSON secret, or key of a secret with several. */
  readonly key?: string;
}

/** True for a string that claims to be a reference, well-formed or not. */
export function isReference(value: unknown): value is string {
  return typeof value === "string" && value.startsWith(REFERENCE_PREFIX);
}

/** Takes a reference apart. Faults: `invalid`, with the sentence that says what is wrong with it. */
export function parseReference(text: string): Reference {
  const wrong = textRules.find((rule) => rule.broken(text));
  if (wrong) throw malformed(text, wrong.sentence);

  const [beforeKey = "", key] = splitAt(text.slice(REFERENCE_PREFIX.length), "#");
  const [name = "", query] = splitAt(beforeKey, "?");
  const version = query === undefined ? undefined : versionOf(query);
  const parts = { name, path: name.startsWith("/") ? name.slice(1) : name, version, key, query };
  const broken = partRules.find((rule) => rule.broken(parts));
  if (broken) throw malformed(text, broken.sentence);

  return {
    text,
    name: parts.name,
    path: parts.path,
    ...(version === undefined ? {} : { version }),
    ...(key === undefined ? {} : { key }),
  };
}

/** The text of a reference: the inverse of `parseReference`. */
export function formatReference(reference: Pick<Reference, "name" | "version" | "key">): string {
  const version = reference.version === undefined ? "" : `?version=${reference.version}`;
  const key = reference.key === undefined ? "" : `#${reference.key}`;
  return `${REFERENCE_PREFIX}${reference.name}${version}${key}`;
}

interface Parts {
  name: string;
  path: string;
  version: string | undefined;
  key: string | undefined;
  query: string | undefined;
}

/** What can be said of the text before it is taken apart. */
const textRules: readonly { broken(text: string): boolean; sentence: string }[] = [
  { broken: (text) => !text.startsWith(REFERENCE_PREFIX), sentence: "a reference begins with secret:" },
  {
    broken: (text) => text.length > REFERENCE_LIMIT,
    sentence: `it is longer than ${REFERENCE_LIMIT} characters`,
  },
  // A line break at the end is the usual slip: a YAML block scalar written with | instead of |-.
  { broken: (text) => /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text), sentence: "it contains a control character or line break" },
  { broken: (text) => !text.isWellFormed(), sentence: "it contains half of a surrogate pair" },
  {
    broken: (text) => /%[0-9A-Fa-f]{2}/.test(text),
    sentence: "it contains a percent escape; references are taken as they are written, so write the character itself",
  },
  { broken: (text) => count(text, "#") > 1, sentence: "it has more than one #; only one key can be picked" },
  {
    broken: (text) => /#.*\?version=/.test(text),
    sentence: "?version= stands after #key; the order is secret:PATH?version=V#KEY",
  },
];

/** What can be said of its parts. */
const partRules: readonly { broken(parts: Parts): boolean; sentence: string }[] = [
  {
    broken: ({ query, version }) => query !== undefined && version === undefined,
    sentence: "the only parameter after ? is version, once: ?version=V",
  },
  { broken: ({ version }) => version === "", sentence: "?version= is empty" },
  {
    broken: ({ version }) => version !== undefined && !/^[A-Za-z0-9._:+=@-]{1,256}$/.test(version),
    sentence: "the version has characters other than letters, digits and . _ : + = @ -, or more than 256 of them",
  },
  { broken: ({ key }) => key === "", sentence: "the key after # is empty" },
  { broken: ({ path }) => path === "", sentence: "the path is empty" },
  {
    broken: ({ path, key }) => path !== path.trim() || (key ?? "") !== (key ?? "").trim(),
    sentence: "its path or key begins or ends with a space",
  },
  {
    broken: ({ path }) => path.split("/").includes(""),
    sentence: "the path has an empty part (two slashes in a row, or one at the end)",
  },
  {
    broken: ({ path }) => path.split("/").some((part) => part === ".." || part === "."),
    sentence: "the path has a part . or ..; a reference cannot climb",
  },
];

/** The V of `version=V`; undefined for any other query. */
function versionOf(query: string): string | undefined {
  const found = /^version=([^&?]*)$/.exec(query);
  return found?.[1];
}

function splitAt(text: string, mark: string): [string, string?] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)];
}

function count(text: string, mark: string): number {
  return text.split(mark).length - 1;
}

function malformed(text: string, sentence: string): Fault {
  // What stands there by mistake may be long, or break the line of a log.
  const short = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  const shown = JSON.stringify(short.toWellFormed()).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return new Fault("invalid", `Cannot read the secret reference ${shown}: ${sentence}`, { path: "document" });
}
