/** The protocol as one JSON Schema 2020-12 document, made from the zod schemas that both programs validate with. */
import * as z from "zod/mini";
import { FAULT_NUMBERS } from "../../mod/fault.ts";
import { Job } from "../../mod/job.ts";
import { CLOSES } from "../../mod/protocol/closes.ts";
import { INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR } from "../../mod/protocol/frame.ts";
import {
  DEFAULT_PATH,
  LIMITS,
  type Methods,
  PipelineSummary,
  RunStatus,
  SUBPROTOCOL,
  TO_CONTROL_PLANE,
  TO_RUNNER,
} from "../../mod/protocol/methods.ts";
import { Diagnostics, Instant, Reason, Run, RunId, RunTimes } from "../../mod/run.ts";
import { amend } from "./amendments.ts";

export type JsonSchema = Record<string, unknown>;
export interface SchemaDocument extends JsonSchema {
  $id: string;
  $defs: Record<string, JsonSchema>;
}

/** Who makes a method's request. */
export const DIRECTIONS: readonly { sender: "runner" | "control plane"; def: string; methods: Methods }[] = [
  { sender: "runner", def: "ToControlPlane", methods: TO_CONTROL_PLANE },
  { sender: "control plane", def: "ToRunner", methods: TO_RUNNER },
];

/** Schemas that occur in several places get a definition of their own. */
const SHARED = {
  Job,
  JobContent: TO_RUNNER["job.plan"].params.shape.job,
  Run,
  RunStatus,
  RunTimes,
  RunId,
  RunAccepted: TO_RUNNER["pipeline.run"].result,
  Reason,
  Diagnostics,
  Instant,
  PipelineSummary,
  OwnJobRun: TO_RUNNER["automation.run"].params,
  Empty: TO_RUNNER["pipeline.delete"].result,
};

/** The whole document; the same sources always give the same text. */
export function protocolSchema(): SchemaDocument {
  const $defs = { ...envelopes(), ...membersOfMethods() };
  amend($defs);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: `${SUBPROTOCOL}.json`,
    title: `Control protocol ${SUBPROTOCOL}`,
    description: "One text frame. Unknown members are ignored; unknown methods are answered with -32601. " +
      "Generated from mod/protocol/methods.ts by `deno task schema`; docs/protocol.md is the normative text.",
    anyOf: ["ToControlPlane", "ToRunner", "ResultAnswer", "ErrorAnswer"].map(reference),
    "x-subprotocol": SUBPROTOCOL,
    "x-default-path": DEFAULT_PATH,
    "x-limits": LIMITS,
    "x-methods": DIRECTIONS.flatMap(({ sender, methods }) =>
      Object.keys(methods).map((method) => ({
        method,
        sender,
        params: reference(`${method}.params`),
        result: reference(`${method}.result`),
      }))
    ),
    "x-error-codes": {
      "parse error": PARSE_ERROR,
      "invalid request": INVALID_REQUEST,
      "method not found": METHOD_NOT_FOUND,
      ...FAULT_NUMBERS,
    },
    "x-close-codes": Object.entries(CLOSES).map(([name, close]) => ({ name, ...close })),
    $defs,
  };
}

/** The document as it lies in docs/schema. */
export function protocolSchemaText(): string {
  return `${JSON.stringify(protocolSchema(), null, 2)}\n`;
}

function reference(name: string): JsonSchema {
  return { $ref: `#/$defs/${name}` };
}

/** JSON-RPC 2.0's own objects, and one per method that ties its name to its parameters. */
function envelopes(): Record<string, JsonSchema> {
  const definitions: Record<string, JsonSchema> = {};
  for (const { def, methods } of DIRECTIONS) {
    definitions[def] = { oneOf: Object.keys(methods).map((method) => reference(`${method}.request`)) };
    for (const method of Object.keys(methods)) definitions[`${method}.request`] = request(method);
  }
  return {
    ...definitions,
    Version: { const: "2.0" },
    Id: {
      type: ["string", "number", "null"],
      description: "Echoed by the answer; a request without one is never answered.",
    },
    ResultAnswer: {
      type: "object",
      properties: { jsonrpc: reference("Version"), id: reference("Id"), result: {} },
      required: ["jsonrpc", "id", "result"],
      not: { anyOf: [{ required: ["error"] }, { required: ["method"] }] },
    },
    ErrorAnswer: {
      type: "object",
      properties: { jsonrpc: reference("Version"), id: reference("Id"), error: reference("Error") },
      required: ["jsonrpc", "id", "error"],
      not: { anyOf: [{ required: ["result"] }, { required: ["method"] }] },
    },
    Error: {
      type: "object",
      properties: {
        code: { type: "integer" },
        message: { type: "string" },
        data: {
          type: "object",
          properties: {
            path: { type: "string", description: "The bad field, for `invalid`." },
            rule: { type: "string", description: "What decided, for `denied`." },
            retryAfterSeconds: { type: "number", description: "For `busy`." },
          },
        },
      },
      required: ["code", "message"],
    },
  };
}

function request(method: string): JsonSchema {
  return {
    type: "object",
    properties: {
      jsonrpc: reference("Version"),
      id: reference("Id"),
      method: { const: method },
      params: reference(`${method}.params`),
    },
    required: ["jsonrpc", "method", "params"],
  };
}

function membersOfMethods(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SHARED)) registry.add(schema, { id });
  // One schema may serve two methods; a registry knows it by one name only, so the second becomes a reference.
  const aliases: Record<string, JsonSchema> = {};
  for (const { methods } of DIRECTIONS) {
    for (const [method, members] of Object.entries(methods)) {
      for (const part of ["params", "result"] as const) {
        const known = registry.get(members[part]);
        if (known === undefined) registry.add(members[part], { id: `${method}.${part}` });
        else aliases[`${method}.${part}`] = reference(known.id);
      }
    }
  }
  const { schemas } = z.toJSONSchema(registry, { io: "input", uri: (id) => `#/$defs/${id}` });
  const made = Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema] as const);
  return { ...Object.fromEntries(made), ...aliases };
}
