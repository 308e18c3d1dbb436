/**
 * References in a configuration document (YAML or JSON). The values are put in place of the references' own text and
 * every other byte stays as it was: whoever reads the document later (PyYAML has YAML 1.1's idea of `yes` and dates)
 * reads the same document. Aliases are never expanded.
 */
import { type Document, isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseAllDocuments } from "yaml";
import { Fault } from "../fault.ts";
import { DOCUMENT_LIMIT_BYTES } from "../job.ts";
import { isReference } from "./reference.ts";
import { reveal, Secret } from "./secret.ts";

/** A document that was read once and can be resolved. */
export interface OpenDocument {
  /** Distinct, in the order of their first occurrence; not yet checked for form. */
  readonly references: readonly string[];
  /** The document with every reference replaced. Faults: `malformed` for a value that is not UTF-8 text. */
  resolve(values: ReadonlyMap<string, Secret>): Secret;
}

/** Reads a document. Faults: `invalid` with line and column, for what is no single YAML document or too large. */
export function openDocument(text: string): OpenDocument {
  if (text.length > DOCUMENT_LIMIT_BYTES || new TextEncoder().encode(text).length > DOCUMENT_LIMIT_BYTES) {
    throw invalid(`it is larger than ${DOCUMENT_LIMIT_BYTES / 1024} KiB`);
  }
  const lines = new LineCounter();
  // Without uniqueKeys: that check takes quadratic time, and PyYAML accepts repeated keys as well.
  const documents = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: false, lineCounter: lines });
  const where = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `line ${line}, column ${col}`;
  };
  const second = documents[1];
  if (second) throw invalid(`${where(second.range[0])}: a second document begins; only one can be resolved`);
  const places: Place[] = [];
  for (const document of documents) {
    // Only the error's code is told: its message quotes the document, which may carry a token.
    const error = document.errors[0];
    if (error) throw invalid(`${where(error.pos[0])}: ${sentenceOf(error.code)}`);
    places.push(...placesIn(document, where));
  }
  return {
    references: [...new Set(places.map((place) => place.reference))],
    resolve: (values) => splice(text, places, values),
  };
}

/** The distinct references of a document, in order. Faults: as `openDocument`. */
export function referencesIn(text: string): readonly string[] {
  return openDocument(text).references;
}

/** The document with every reference replaced by its value, as a quoted string. Faults: as `openDocument`. */
export function resolveDocument(text: string, values: ReadonlyMap<string, Secret>): Secret {
  return openDocument(text).resolve(values);
}

interface Place {
  reference: string;
  from: number;
  to: number;
  /** A block scalar's place includes its last line break. */
  block: boolean;
}

function placesIn(document: Document.Parsed, where: (offset: number) => string): Place[] {
  const places: Place[] = [];
  const anchors = new Set<string>();
  // A list of what is still to be seen instead of recursion: depth is the sender's choice. Pushed in reverse order.
  const open: { node: unknown; isKey: boolean }[] = [{ node: document.contents, isKey: false }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { node, isKey } = next;
    if (isPair(node)) {
      open.push({ node: node.value, isKey }, { node: node.key, isKey: true });
    } else if (isAlias(node)) {
      if (!anchors.has(node.source)) throw invalid(`${where(node.range?.[0] ?? 0)}: alias without its anchor`);
    } else if (isMap(node) || isSeq(node)) {
      if (node.anchor) anchors.add(node.anchor);
      for (const item of node.items.toReversed()) open.push({ node: item, isKey });
    } else if (isScalar(node)) {
      if (node.anchor) anchors.add(node.anchor);
      const [from, to] = node.range ?? [0, 0];
      if (!isReference(node.value)) continue;
      // An alias elsewhere could make a value of it, and it would reach the job unresolved.
      if (isKey) throw invalid(`${where(from)}: a secret reference stands in a key; only values can be references`);
      places.push({ reference: node.value, from, to, block: node.type?.startsWith("BLOCK") ?? false });
    }
  }
  return places;
}

function splice(text: string, places: readonly Place[], values: ReadonlyMap<string, Secret>): Secret {
  const pieces: string[] = [];
  let at = 0;
  for (const { reference, from, to, block } of places) {
    const value = values.get(reference);
    if (!value) throw new Fault("internal", `Cannot resolve the document: no value was read for "${reference}"`);
    pieces.push(text.slice(at, from), quoted(textOf(value, reference)), block ? "\n" : "");
    at = to;
  }
  pieces.push(text.slice(at));
  return Secret.of(pieces.join(""));
}

function textOf(value: Secret, reference: string): string {
  try {
    return reveal(value);
  } catch {
    const reason = "its value is not UTF-8 text, and a document can hold nothing else; store it as text (base64)";
    throw new Fault("malformed", `Cannot put secret "${reference}" into the document: ${reason}`);
  }
}

/**
 * A string that JSON, YAML 1.1 and YAML 1.2 read alike. JSON leaves characters bare that YAML 1.1 breaks lines at
 * (U+0085, U+2028, U+2029) or refuses; those beyond the BMP stay bare, because PyYAML does not join surrogate escapes.
 */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function sentenceOf(code: string): string {
  return code === "RESOURCE_EXHAUSTION" ? "nested too deeply" : code.toLowerCase().replaceAll("_", " ");
}

function invalid(reason: string): Fault {
  return new Fault("invalid", `Cannot read the document: ${reason}`, { path: "document" });
}
