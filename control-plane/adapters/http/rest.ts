/** REST under /api/v1, as one table. */
import { Fault } from "../../../mod/fault.ts";
import { Job } from "../../../mod/job.ts";
import { check } from "../../../mod/protocol/check.ts";
import type { ControlPlane } from "../../mod/control_plane.ts";
import { Nothing, PutPipeline, StartCanary, StartOwn, TogglePipeline } from "../../mod/rest_schemas.ts";
import type { Claims, Storage } from "../../mod/ports.ts";
import type { LogEvent } from "../../mod/views.ts";
import { optional, paging, readBody } from "./body.ts";
import { openApi } from "./openapi.ts";
import { problem } from "./problem.ts";
import { eventStream, type ServerEvent, textStream } from "./sse.ts";

/** What the routes work with. */
export interface RestDeps {
  plane: ControlPlane;
  storage: Storage;
  /** Aborts when the server stops: streams end by it. */
  signal: AbortSignal;
}

interface Call extends RestDeps {
  request: Request;
  url: URL;
  /** The path's variable part. */
  id: string;
  /** Who asks, for the record. */
  actor: string;
  /** With what token: a stream ends with it. */
  claims?: Claims | undefined;
}

/** Answers what is under /api/v1/. Throws faults. */
export async function callRest(
  request: Request,
  url: URL,
  who: Pick<Call, "actor" | "claims">,
  deps: RestDeps,
): Promise<Response> {
  const path = url.pathname.slice("/api/v1".length);
  const allowed: string[] = [];
  for (const [method, pattern, handler] of ROUTES) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const id = decoded(match[1] ?? "");
    if (method === request.method) return await handler({ ...deps, ...who, request, url, id });
    allowed.push(method);
  }
  if (allowed.length === 0) return problem(404, "not_found", `Cannot find ${url.pathname}: there is no such resource`);
  const detail = `Cannot ${request.method} ${url.pathname}: only ${allowed.join(", ")}`;
  return problem(405, "invalid", detail, { headers: { allow: allowed.join(", ") } });
}

type Route = readonly [method: string, pattern: RegExp, handler: (call: Call) => Promise<Response>];

const ROUTES: readonly Route[] = [
  ["GET", /^\/openapi\.json$/, () => Promise.resolve(json(openApi()))],
  ["GET", /^\/runners$/, async ({ plane }) => json({ items: await plane.views.runners() })],
  ["GET", /^\/runners\/([^/]+)$/, async ({ plane, id }) => json(found(await plane.views.runner(id), "runner", id))],
  ["GET", /^\/pipelines$/, async ({ plane, url }) => {
    const { limit, after } = paging(url);
    const items = await plane.views.pipelines({ ...optional(url, "agentId"), limit, after });
    return json(page(items, limit, (item) => item.pipelineId));
  }],
  [
    "GET",
    /^\/pipelines\/([^/]+)$/,
    async ({ plane, id }) => json(found(await plane.views.pipeline(id), "pipeline", id)),
  ],
  ["PUT", /^\/pipelines\/([^/]+)$/, async ({ plane, request, id, actor }) => {
    const { agentId, ...job } = await readBody(request, PutPipeline);
    const { view, created } = await plane.operations.putPipeline(actor, agentId, {
      ...job,
      pipelineId: pipelineIdOf(id),
    });
    return json(view, created ? 201 : 200);
  }],
  [
    "DELETE",
    /^\/pipelines\/([^/]+)$/,
    async ({ plane, url, id, actor }) => {
      const force = url.searchParams.get("force") === "true";
      return json(await plane.operations.deletePipeline(actor, id, { force }), 202);
    },
  ],
  ["POST", /^\/pipelines\/([^/]+)\/toggle$/, async ({ plane, request, id, actor }) => {
    const { enabled } = await readBody(request, TogglePipeline);
    return json(await plane.operations.togglePipeline(actor, id, enabled));
  }],
  ["POST", /^\/pipelines\/([^/]+)\/runs$/, async ({ plane, request, id, actor }) => {
    await readBody(request, Nothing);
    return json(await plane.operations.startRun(actor, id), 202);
  }],
  ["POST", /^\/pipelines\/([^/]+)\/stop$/, async ({ plane, request, id, actor }) => {
    await readBody(request, Nothing);
    return json({ runIds: await plane.operations.stopPipeline(actor, id) }, 202);
  }],
  ["GET", /^\/runs$/, async ({ plane, url }) => {
    const { limit, after } = paging(url);
    const filter = { ...optional(url, "pipelineId"), ...optional(url, "agentId"), limit, after };
    return json(page(await plane.views.runs(filter), limit, (run) => run.runId));
  }],
  ["GET", /^\/runs\/([^/]+)$/, async ({ plane, id }) => json(found(await plane.views.run(id), "run", id))],
  ["POST", /^\/runs\/([^/]+)\/stop$/, async ({ plane, request, id, actor }) => {
    await readBody(request, Nothing);
    return json(await plane.operations.stopRun(actor, id), 202);
  }],
  ["GET", /^\/runs\/([^/]+)\/log$/, plainLog],
  ["GET", /^\/runs\/([^/]+)\/log\/events$/, logEvents],
  ["GET", /^\/events$/, ({ plane, signal, claims }) => {
    const gone = plane.visitors.enter(claims);
    const changes = plane.feed.changes(AbortSignal.any([gone.signal, signal]));
    return Promise.resolve(eventStream(changes, gone));
  }],
  ["POST", /^\/canary$/, async ({ plane, request, actor }) => {
    const { agentId } = await readBody(request, StartCanary);
    return json(await plane.operations.startCanary(actor, agentId), 202);
  }],
  ["POST", /^\/automations$/, async ({ plane, request, actor }) => {
    const { agentId, job } = await readBody(request, StartOwn);
    return json(await plane.operations.startOwn(actor, agentId, job), 202);
  }],
  ["GET", /^\/audit$/, async ({ storage, url }) => json({ items: await storage.audit(paging(url).limit) })],
];

/** What is there now, as text. A part that was lost stands as a line of its own. */
async function plainLog({ plane, url, id, signal, claims }: Call): Promise<Response> {
  const run = found(await plane.views.run(id), "run", id);
  const gone = plane.visitors.enter(claims);
  const options = { follow: false, ...optional(url, "cursor"), signal: AbortSignal.any([gone.signal, signal]) };
  const events = plane.logs.read(run, options)[Symbol.asyncIterator]();
  try {
    // The first event decides the status: a log that cannot be read is no empty success.
    const first = await events.next();
    if (first.done || first.value.event !== "end" || !isFailure(first.value)) return textStream(lines(first), gone);
    const { reason, message } = first.value.data;
    await events.return?.();
    throw new Fault(reason === "gone" ? "not_found" : "unavailable", message ?? `Cannot read the log: it is ${reason}`);
  } catch (error) {
    gone.abort(error);
    throw error;
  }

  async function* lines(first: IteratorResult<LogEvent>): AsyncGenerator<string> {
    try {
      for (let result = first; !result.done; result = await events.next()) {
        const text = textOf(result.value);
        if (text !== "") yield text;
      }
    } finally {
      await events.return?.();
    }
  }
}

function isFailure({ data: { reason } }: Extract<LogEvent, { event: "end" }>): boolean {
  return reason === "gone" || reason === "failed";
}

function textOf(event: LogEvent): string {
  switch (event.event) {
    case "lines":
      return event.data.lines.map((line) => `${line}\n`).join("");
    case "gap":
      return `--- a part of the log was lost before it could be read: ${event.data.from} to ${event.data.to} ---\n`;
    case "end":
      return isFailure(event) ? `--- the log ends here: ${event.data.message ?? event.data.reason} ---\n` : "";
  }
}

/** Follows; goes on after a cursor, from the address or from a browser that comes back. */
async function logEvents({ plane, request, url, id, signal, claims }: Call): Promise<Response> {
  const run = found(await plane.views.run(id), "run", id);
  const gone = plane.visitors.enter(claims);
  const cursor = request.headers.get("last-event-id") ?? url.searchParams.get("cursor") ?? "";
  const options = {
    follow: url.searchParams.get("follow") !== "false",
    ...cursor === "" ? {} : { cursor },
    signal: AbortSignal.any([gone.signal, signal]),
  };
  return eventStream(named(plane.logs.read(run, options)), gone);
}

async function* named(events: AsyncIterable<LogEvent>): AsyncGenerator<ServerEvent> {
  for await (const event of events) {
    yield event.event === "lines" ? { ...event, id: event.data.cursor } : event;
  }
}

function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
}

/** `next` is what `after` is to be for the page behind this one. */
function page<T>(items: T[], limit: number, idOf: (item: T) => string): { items: T[]; next?: string } {
  const last = items.at(-1);
  return items.length < limit || last === undefined ? { items } : { items, next: idOf(last) };
}

function found<T>(view: T | undefined, what: string, id: string): T {
  if (view !== undefined) return view;
  throw new Fault("not_found", `Cannot find the ${what} ${id}: there is no such ${what}`);
}

/** What would not come back out of the database, or go over the wire, is not let in. */
function pipelineIdOf(id: string): string {
  const result = check(Job.shape.pipelineId, id);
  if (result.ok) return result.data;
  throw new Fault("invalid", `Cannot take the pipeline's id: ${result.text}`, { path: "pipelineId" });
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Fault("invalid", "Cannot read the address: it is not well-formed", { path: "url" });
  }
}
