/**
 * What the zod schemas check in code and `toJSONSchema` cannot see: said in JSON Schema's own words where it has some,
 * in a description where it has none. A path that no longer exists is an error, so this table cannot go stale unseen.
 */

export interface Amendment {
  /** Where in `$defs`: the definition's name, then its members. */
  at: readonly string[];
  add: Readonly<Record<string, unknown>>;
}

export const AMENDMENTS: readonly Amendment[] = [
  {
    at: ["Job", "properties", "document"],
    add: {
      maxLength: 921_600,
      description: "YAML or JSON text with secret references; at most 921600 bytes (900 KiB) of UTF-8.",
    },
  },
  {
    at: ["Job", "properties", "env", "propertyNames"],
    add: {
      not: { pattern: "^(LD_.*|PYTHON.*|PATH|config)$" },
      description: "Never taken from the wire: LD_*, PYTHON*, PATH, config. The runner's policy may refuse others.",
    },
  },
  {
    at: ["Job", "properties", "env", "additionalProperties"],
    add: { not: { pattern: "^secret:" }, description: "A secret reference belongs in the document." },
  },
  {
    at: ["Job", "properties", "labels", "propertyNames"],
    add: {
      not: { pattern: "(^|\\.)(kubernetes\\.io|k8s\\.io|hybrid-runner\\.dev)/" },
      description: "Keys under kubernetes.io, k8s.io and hybrid-runner.dev are reserved.",
    },
  },
  {
    at: ["log.open.params"],
    add: {
      oneOf: [{ required: ["runId"] }, { required: ["pipelineId"] }],
      description: "Exactly one of runId and pipelineId.",
    },
  },
  {
    at: ["log.open.params", "properties", "window"],
    add: { description: "Bytes of UTF-8 log text that may be under way unanswered." },
  },
  {
    at: ["log.chunk.result", "properties", "credit"],
    add: {
      description: "Bytes that may be sent in addition; the answer is held until the reader has taken the chunk.",
    },
  },
  {
    at: ["RunStatus", "properties", "note"],
    add: { description: "Rises while reason or diagnostics change within one non-terminal state." },
  },
  {
    at: ["runs.snapshot.params", "properties", "absent"],
    add: { description: "Only on a page of its own after an answer that held `missing`; `runs` is then empty." },
  },
  {
    at: ["JobContent"],
    add: { description: "A job as a plain object, or as a compact JWS whose payload is that object." },
  },
];

/** Writes each amendment into the definitions. Throws if one has nowhere to go. */
export function amend(definitions: Record<string, unknown>, amendments: readonly Amendment[] = AMENDMENTS): void {
  for (const { at, add } of amendments) {
    let node: unknown = definitions;
    for (const step of at) node = isObject(node) ? node[step] : undefined;
    if (!isObject(node)) throw new Error(`Cannot amend the schema: there is no ${at.join(".")}`);
    Object.assign(node, add);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
