/** The OpenAPI 3.1 document, from the same schemas that check and shape the traffic. */
import * as z from "zod/mini";
import { VERSION } from "../../../mod/version.ts";
import { PutPipeline, StartCanary, StartOwn, TogglePipeline } from "../../mod/rest_schemas.ts";
import { PipelineView, RunDetail, RunnerView, RunSummary } from "../../mod/views.ts";

interface Operation {
  method: "get" | "put" | "post" | "delete";
  path: string;
  summary: string;
  body?: z.ZodMiniType;
  status: number;
  answer?: z.ZodMiniType;
  /** Another content type than JSON. */
  type?: string;
  query?: readonly string[];
}

const list = (item: z.ZodMiniType) => z.object({ items: z.array(item), next: z.optional(z.string()) });
const PAGING = ["limit", "after"] as const;

const OPERATIONS: readonly Operation[] = [
  { method: "get", path: "/runners", summary: "Every runner", status: 200, answer: list(RunnerView) },
  { method: "get", path: "/runners/{id}", summary: "A runner", status: 200, answer: RunnerView },
  {
    method: "get",
    path: "/pipelines",
    summary: "Pipelines, by id",
    status: 200,
    answer: list(PipelineView),
    query: ["agentId", ...PAGING],
  },
  { method: "get", path: "/pipelines/{id}", summary: "A pipeline", status: 200, answer: PipelineView },
  {
    method: "put",
    path: "/pipelines/{id}",
    summary: "Wants a pipeline as the body says (201 for a new one)",
    body: PutPipeline,
    status: 200,
    answer: PipelineView,
  },
  {
    method: "delete",
    path: "/pipelines/{id}",
    summary: "Deletes a pipeline; force=true: here only, for a runner that will not come back",
    status: 202,
    answer: PipelineView,
    query: ["force"],
  },
  {
    method: "post",
    path: "/pipelines/{id}/toggle",
    summary: "Turns its schedule on or off",
    body: TogglePipeline,
    status: 200,
    answer: PipelineView,
  },
  { method: "post", path: "/pipelines/{id}/runs", summary: "Runs it now", status: 202, answer: RunSummary },
  {
    method: "post",
    path: "/pipelines/{id}/stop",
    summary: "Stops all its runs",
    status: 202,
    answer: z.object({ runIds: z.array(z.string()) }),
  },
  {
    method: "get",
    path: "/runs",
    summary: "Runs, the newest first",
    status: 200,
    answer: list(RunSummary),
    query: ["pipelineId", "agentId", ...PAGING],
  },
  { method: "get", path: "/runs/{id}", summary: "A run with its timeline", status: 200, answer: RunDetail },
  { method: "post", path: "/runs/{id}/stop", summary: "Stops a run", status: 202, answer: RunSummary },
  {
    method: "get",
    path: "/runs/{id}/log",
    summary: "Its log so far",
    status: 200,
    type: "text/plain",
    query: ["cursor"],
  },
  {
    method: "get",
    path: "/runs/{id}/log/events",
    summary: "Its log as Server-Sent Events: lines, gap, end",
    status: 200,
    type: "text/event-stream",
    query: ["cursor", "follow"],
  },
  {
    method: "get",
    path: "/events",
    summary: "Changes as Server-Sent Events: runner, pipeline, run",
    status: 200,
    type: "text/event-stream",
  },
  {
    method: "post",
    path: "/canary",
    summary: "Runs a job that does nothing",
    body: StartCanary,
    status: 202,
    answer: RunSummary,
  },
  {
    method: "post",
    path: "/automations",
    summary: "Runs a job of its own, once",
    body: StartOwn,
    status: 202,
    answer: RunSummary,
  },
];

/** The document as a plain object. */
export function openApi(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    (paths[operation.path] ??= {})[operation.method] = described(operation);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Hybrid ingestion control plane", version: VERSION },
    servers: [{ url: "/api/v1" }],
    security: [{ token: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        session: { type: "apiKey", in: "cookie", name: "session" },
      },
    },
  };
}

function described({ path, summary, body, status, answer, type = "application/json", query = [] }: Operation): unknown {
  const content = { [type]: { schema: answer === undefined ? { type: "string" } : schemaOf(answer, "output") } };
  const parameters = [
    ...path.includes("{id}") ? [{ name: "id", in: "path", required: true, schema: { type: "string" } }] : [],
    ...query.map((name) => ({ name, in: "query", schema: { type: name === "limit" ? "integer" : "string" } })),
  ];
  return {
    summary,
    ...parameters.length > 0 ? { parameters } : {},
    ...body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: schemaOf(body, "input") } } } },
    responses: {
      [status]: { description: summary, content },
      default: {
        description: "What went wrong (RFC 9457)",
        content: { "application/problem+json": { schema: PROBLEM } },
      },
    },
  };
}

const PROBLEM = {
  type: "object",
  required: ["title", "status", "code", "detail"],
  properties: {
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string" },
    detail: { type: "string" },
    path: { type: "string" },
    rule: { type: "string" },
  },
};

function schemaOf(schema: z.ZodMiniType, io: "input" | "output"): unknown {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
