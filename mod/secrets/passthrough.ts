/**
 * A document for OpenMetadata's own framework, which reads the secrets itself: each reference becomes the id that the
 * framework wants on this provider, and the document says which provider and loader to use. All other bytes stay.
 */
import { isAlias, isMap, isNode, isScalar, type Pair, parseDocument, type YAMLMap } from "yaml";
import { Fault } from "../fault.ts";
import type { JobKind } from "../run.ts";
import { openDocument } from "./document.ts";
import { mapReference } from "./mapping.ts";
import { parseReference, REFERENCE_PREFIX } from "./reference.ts";
import { reveal, Secret } from "./secret.ts";

/** Values of `SECRETS_MANAGER` that the framework knows too (openMetadata's `secretsManagerProvider.json`). */
const FRAMEWORK = [
  "kubernetes",
  "managed-aws",
  "aws",
  "managed-aws-ssm",
  "aws-ssm",
  "gcp",
  "managed-azure-kv",
  "azure-kv",
];

/** Where the framework looks for its provider and loader. */
const SERVER_CONNECTION: Record<JobKind, readonly string[]> = {
  pipeline: ["workflowConfig", "openMetadataServerConfig"],
  application: ["workflowConfig", "openMetadataServerConfig"],
  automation: ["openMetadataServerConnection"],
};

/** True where OpenMetadata's framework can read from this provider. */
export function isFrameworkManager(manager: string): boolean {
  return FRAMEWORK.includes(manager);
}

/**
 * The document as the framework wants it. Faults: `invalid` for what is no document, for malformed references, and for
 * what the framework cannot do: `#key`, `?version=`, and providers that it does not know.
 */
export function passthroughDocument(text: string, manager: string, kind: JobKind): string {
  const opened = openDocument(text);
  const ids = new Map(opened.references.map((reference) => [reference, Secret.of(idOf(reference, manager))]));
  // Ids are no secrets: the type is only what the splicing of documents takes.
  const rewritten = ids.size === 0 ? text : reveal(opened.resolve(ids));
  if (!isFrameworkManager(manager)) return rewritten;
  return withMembers(rewritten, SERVER_CONNECTION[kind], {
    secretsManagerProvider: manager,
    // It takes the credentials' settings from the environment, which the pod is given.
    secretsManagerLoader: "env",
  });
}

/** The framework takes all that follows `secret:` for the id, and knows neither keys nor versions. */
function idOf(text: string, manager: string): string {
  const reference = parseReference(text);
  const sentence = !isFrameworkManager(manager)
    ? `OpenMetadata's framework cannot read from ${manager}`
    : reference.key !== undefined
    ? "OpenMetadata's framework cannot pick a #key of a secret; store the value as a secret of its own"
    : reference.version !== undefined
    ? "OpenMetadata's framework always reads the current version; leave ?version= out"
    : undefined;
  if (sentence !== undefined) {
    throw new Fault("invalid", `Cannot pass the secret reference "${text}" through: ${sentence}`, { path: "document" });
  }
  return REFERENCE_PREFIX + mapReference(manager, reference).name;
}

interface Edit {
  from: number;
  to: number;
  text: string;
}

/** Sets members of the mapping at `path`, where there is one; the library's own writer would rewrite all of the text. */
function withMembers(text: string, path: readonly string[], members: Record<string, string>): string {
  const maps = mapsAt(text, path);
  const edits = maps.flatMap((map) => editsOf(text, map, members));
  let edited = text;
  for (const { from, to, text } of edits.sort((a, b) => b.from - a.from)) {
    edited = edited.slice(0, from) + text + edited.slice(to);
  }
  // An odd form might be hit wrongly: better no job than another document.
  const now = mapsAt(edited, path);
  const good = now.length === maps.length && now.every((map) => says(map, members));
  if (good) return edited;
  const reason = `the members of ${
    path.join(".")
  } stand in a form that cannot be edited; write each on a line of its own`;
  throw new Fault("invalid", `Cannot pass the document through: ${reason}`, { path: "document" });
}

/** The mappings at a path; none where the text is no document. Of repeated keys PyYAML takes the last: all are found. */
function mapsAt(text: string, path: readonly string[]): YAMLMap[] {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
  if (document.errors.length > 0) return [];
  const resolved = (node: unknown): unknown => isAlias(node) ? node.resolve(document) : node;
  let maps = [resolved(document.contents)].filter(isMap);
  for (const key of path) {
    maps = maps.flatMap((map) => pairsOf(map, key)).map(({ value }) => resolved(value)).filter(isMap);
  }
  return [...new Set(maps)];
}

function says(map: YAMLMap, members: Record<string, string>): boolean {
  return Object.entries(members).every(([key, text]) => {
    const pairs = pairsOf(map, key);
    return pairs.length > 0 && pairs.every(({ value }) => isScalar(value) && value.value === text);
  });
}

function pairsOf(map: YAMLMap, key: string): Pair[] {
  return map.items.filter((pair) => isScalar(pair.key) && pair.key.value === key);
}

function editsOf(text: string, map: YAMLMap, members: Record<string, string>): Edit[] {
  const edits: Edit[] = [], absent: [string, string][] = [];
  for (const [key, value] of Object.entries(members)) {
    const pairs = pairsOf(map, key);
    if (pairs.length === 0) absent.push([key, JSON.stringify(value)]);
    for (const pair of pairs) edits.push(replacement(pair, JSON.stringify(value)));
  }
  if (absent.length === 0) return edits;
  const start = map.range?.[0] ?? 0;
  if (map.flow) {
    const inserted = absent.map(([key, value]) => `${JSON.stringify(key)}: ${value}`).join(", ");
    return [...edits, { from: start + 1, to: start + 1, text: inserted + (map.items.length === 0 ? "" : ", ") }];
  }
  // A mapping begins behind the anchor or tag of its first key.
  const line = text.lastIndexOf("\n", start - 1) + 1;
  const column = /^ *[&!]/.test(text.slice(line)) ? text.slice(line).search(/[^ ]/) : start - line;
  const inserted = absent.map(([key, value]) => `${key}: ${value}\n${" ".repeat(column)}`).join("");
  return [...edits, { from: line + column, to: line + column, text: inserted }];
}

function replacement({ value }: Pair, text: string): Edit {
  const [from, to] = isNode(value) ? value.range ?? [0, 0] : [0, 0];
  // A block scalar's place includes its last line break, and an empty value stands right behind its colon.
  const block = isScalar(value) && (value.type?.startsWith("BLOCK") ?? false);
  return { from, to, text: `${from === to ? " " : ""}${text}${block ? "\n" : ""}` };
}
