/**
 * A Kubernetes API server in this process: any kind of object, in the API's own bytes (lists with pages and resource
 * versions, watches with bookmarks and 410, patches, logs, discovery, Status objects), and knobs for what goes wrong.
 * Objects lie where they are put: what acts on them is `cluster/fake_cluster.ts`.
 */
import { createKnobs, type FailOptions, type Grants } from "./api_knobs.ts";
import { createLogStreams, type LogSource } from "./api_logs.ts";
import { isRecord, type Stored, wrongField } from "./api_objects.ts";
import { jsonPatched, merged } from "./api_patches.ts";
import { type ApiPath, ARGO, discovery, parsePath } from "./api_path.ts";
import { notFound, Refusal, statusResponse } from "./api_status.ts";
import { createStore, type ObjectStore } from "./api_store.ts";
import { createWatches, listed, partial, type Selection } from "./api_watches.ts";
import { createWrites } from "./api_writes.ts";

/** One request that came in. */
export interface Seen {
  verb: string;
  /** With its subresource: `pods/log`. */
  resource: string;
  name?: string;
  token?: string;
}

/** The server and its knobs. */
export interface FakeApiServer {
  readonly url: string;
  /** Every request so far. */
  readonly seen: Seen[];
  /** How many requests of these verbs and resources came; all where one is not said. */
  count(verb?: string, resource?: string): number;
  /** RBAC no longer allows it (verb "*": nothing of it). */
  deny(verb: string, resource: string): void;
  /** RBAC allows again what `deny` took away. */
  allow(verb: string, resource: string): void;
  /** Requests with this token may do these things and nothing else. */
  grant(token: string, grants: Grants): void;
  /** Requests are taken and never answered, until called with false. */
  hang(on?: boolean): void;
  /** The next `times` requests of that verb are answered so. */
  fail(verb: string, code: number, options?: FailOptions): void;
  /** The next request of that verb is done, and its connection broken before the answer. */
  breakAfter(verb: string): void;
  /** Ends every open watch. */
  cutWatches(): void;
  /** Ends every log that is being followed. */
  cutLogs(): void;
  /** Open watches stay open and tell nothing any more. */
  halfOpen(): void;
  /** Resource versions before now are forgotten, and so are unfinished lists. */
  expire(): void;
  /** Goes away and comes back at the same address with the same objects. */
  restart(between?: () => void | Promise<void>): Promise<void>;
  /** Only this token is let in. */
  requireToken(token: string): void;
  /** A bookmark to every watch. */
  bookmark(): void;
  /** How many watches are open. */
  watches(): number;
  close(): Promise<void>;
}

export interface ApiServerOptions {
  /** Where the objects are, if somebody else works on them too. */
  store?: ObjectStore;
  /** The server's own clock, milliseconds since the epoch. */
  now?: () => number;
  /** Whether Argo's kinds are served. */
  argo?: boolean;
  logs?: LogSource;
}

interface Call {
  path: ApiPath;
  selection: Selection;
  text: string;
  isJsonPatch: boolean;
}

const VERBS: Readonly<Record<string, string>> = { POST: "create", PATCH: "patch", DELETE: "delete", PUT: "update" };

/** A server on a port of its own. */
export async function fakeApiServer(options: ApiServerOptions = {}): Promise<FakeApiServer> {
  const { store = createStore(), now = Date.now, argo = true, logs = () => undefined } = options;
  const writes = createWrites(store, now);
  const watches = createWatches(store);
  const streams = createLogStreams(logs);
  const knobs = createKnobs();
  const seen: Seen[] = [];
  const hung = new Set<() => void>();
  let hanging = false, port = 0;
  let server: Deno.HttpServer<Deno.NetAddr>;
  let life = new AbortController();

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const page = discovery(url.pathname, argo);
    if (page) return page;
    const path = parsePath(url.pathname);
    if (!path || (!argo && path.collection.startsWith(`apis/${ARGO}/`))) {
      return new Response("404 page not found\n", { status: 404 });
    }
    const { resource: plural, subresource, name, group, namespace } = path;
    const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
    const verb = VERBS[request.method] ?? (name ? "get" : url.searchParams.has("watch") ? "watch" : "list");
    const bearer = request.headers.get("authorization")?.replace("Bearer ", "");
    seen.push({ verb, resource, ...name ? { name } : {}, ...bearer ? { token: bearer } : {} });
    const text = await request.text();
    if (hanging) {
      await new Promise<void>((resolve) => hung.add(resolve));
      return new Response(null, { status: 503 });
    }
    const asked = { verb, resource, group, text, namespace: namespace ?? "", name: name ?? "", token: bearer ?? "" };
    const metadataOnly = request.headers.get("accept")?.includes("as=PartialObjectMetadata") ?? false;
    const selection = { collection: path.collection, query: url.searchParams, metadataOnly };
    const isJsonPatch = request.headers.get("content-type") === "application/json-patch+json";
    try {
      knobs.check(asked);
      return knobs.through(asked, handle(verb, { path, selection, text, isJsonPatch }));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const seconds = error.details["retryAfterSeconds"];
      Object.assign(error.details, { name: name ?? "", kind: plural });
      return statusResponse(error, seconds === undefined ? {} : { "retry-after": String(seconds) });
    }
  }

  function handle(verb: string, { path, selection, text, isJsonPatch }: Call): Response {
    const { collection, resource, name = "", subresource } = path;
    const { query, metadataOnly } = selection;
    const field = wrongField(resource, query.get("fieldSelector"));
    if (field !== undefined) throw new Refusal(400, "BadRequest", `field label not supported: ${field}`);
    const current = store.get(`${collection}/${name}`);
    const shown = (object: Stored, code = 200) =>
      Response.json(metadataOnly ? partial(object) : object, { status: code });
    switch (verb) {
      case "watch":
        return watches.open(selection);
      case "list":
        return listed(store, selection);
      case "get":
        if (!current) throw notFound(resource, name);
        return subresource === "log" ? streams.answer(current, query) : shown(current);
      case "create":
        return shown(writes.create(path, body(text)), 201);
      case "patch": {
        const change = (object: Stored): Stored => {
          const patch: unknown = JSON.parse(text);
          const after = isJsonPatch && Array.isArray(patch) ? jsonPatched(object, patch) : merged(object, patch);
          const version = isRecord(patch) && isRecord(patch["metadata"])
            ? patch["metadata"]["resourceVersion"]
            : undefined;
          if (version !== undefined && version !== object.metadata.resourceVersion) {
            throw new Refusal(409, "Conflict", `Operation cannot be fulfilled on ${resource} "${name}"`);
          }
          return after as Stored;
        };
        return shown(writes.update(path, name, change, subresource === "status" ? "status" : undefined));
      }
      case "delete": {
        const left = writes.remove(path, name, text ? body(text) : {});
        return left ? shown(left) : Response.json({ kind: "Status", apiVersion: "v1", status: "Success" });
      }
      default:
        throw new Refusal(405, "MethodNotAllowed", "not allowed");
    }
  }

  function listen(): void {
    life = new AbortController();
    const onError = (error: unknown) => new Response(String(error), { status: 500 });
    const { signal } = life;
    server = Deno.serve({ hostname: "127.0.0.1", port, signal, onListen: () => {}, onError }, answer);
    port = server.addr.port;
  }

  async function stop(): Promise<void> {
    watches.cut();
    streams.cut();
    for (const go of hung) go();
    hung.clear();
    life.abort();
    await server.finished;
  }

  listen();
  const { deny, allow, grant, fail, breakAfter, requireToken } = knobs;
  return await Promise.resolve({
    url: `http://127.0.0.1:${port}`,
    seen,
    count: (verb, resource) =>
      seen.filter((one) => (verb ?? one.verb) === one.verb && (resource ?? one.resource) === one.resource).length,
    ...{ deny, allow, grant, fail, breakAfter, requireToken },
    hang(on = true) {
      hanging = on;
      if (!on) { for (const go of hung) go(); }
    },
    cutWatches: watches.cut,
    cutLogs: streams.cut,
    halfOpen: watches.deafen,
    expire: store.expire,
    async restart(between) {
      await stop();
      await between?.();
      listen();
    },
    bookmark: watches.bookmark,
    watches: watches.count,
    async close() {
      await stop();
      watches.close();
    },
  });
}

function body(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (!isRecord(value)) throw new Refusal(400, "BadRequest", "the object provided is unrecognized");
  return value;
}
