/**
 * A Kubernetes API server in this process: any kind of object, in the API's own bytes (lists with pages and resource
 * versions, watches with bookmarks and 410, merge patches, Status objects), and knobs for what goes wrong.
 */
import { matches, merged, type Stored, wrongName } from "./api_objects.ts";

/** One request that came in. */
export interface Seen {
  verb: string;
  resource: string;
  name?: string;
  token?: string;
}

/** The server and its knobs. */
export interface FakeApiServer {
  readonly url: string;
  /** Every request so far. */
  readonly seen: Seen[];
  /** RBAC no longer allows it (verb "*": nothing of it). */
  deny(verb: string, resource: string): void;
  /** Requests are taken and never answered, until called with false. */
  hang(on?: boolean): void;
  /** The next `times` requests of that verb are answered so. */
  fail(verb: string, code: number, options?: { times?: number; retryAfter?: number; echo?: boolean }): void;
  /** The next request of that verb is done, and its connection broken before the answer. */
  breakAfter(verb: string): void;
  /** Ends every open watch. */
  cutWatches(): void;
  /** Open watches stay open and tell nothing any more. */
  halfOpen(): void;
  /** Resource versions before now are forgotten, and so are unfinished lists. */
  expire(): void;
  /** Goes away and comes back at the same address with the same objects. */
  restart(between?: () => void): Promise<void>;
  /** Only this token is let in. */
  requireToken(token: string): void;
  /** A bookmark to every watch. */
  bookmark(): void;
  /** How many watches are open. */
  watches(): number;
  close(): Promise<void>;
}

interface Change {
  rv: number;
  key: string;
  before?: Stored;
  after?: Stored;
}
interface Watch {
  tell(change: Change): void;
  write(line: unknown): void;
  end(): void;
  deaf: boolean;
}
interface Failure {
  verb: string;
  code: number;
  times: number;
  retryAfter?: number;
  echo?: boolean;
}

/** A server on a port of its own. */
export async function fakeApiServer(): Promise<FakeApiServer> {
  const objects = new Map<string, Stored>();
  const history: Change[] = [];
  const watches = new Set<Watch>();
  const seen: Seen[] = [];
  const denied = new Set<string>();
  const hung = new Set<() => void>();
  const failures: Failure[] = [];
  const breaks = new Set<string>();
  let revision = 100, oldest = 100, hanging = false, port = 0;
  let token: string | undefined;
  let server: Deno.HttpServer<Deno.NetAddr>;
  let life = new AbortController();

  function commit(key: string, after: Stored | undefined): Stored {
    const before = objects.get(key);
    const rv = ++revision;
    const stored = after ?? structuredClone(before!);
    stored.metadata.resourceVersion = String(rv);
    if (after) objects.set(key, after);
    else objects.delete(key);
    const change = { rv, key, before, after: after && structuredClone(after) };
    history.push(change);
    for (const watch of watches) watch.tell(change);
    return stored;
  }

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const query = url.searchParams;
    const path = parsePath(url.pathname);
    if (!path) return new Response("404 page not found\n", { status: 404 });
    const { prefix, resource, namespace, name } = path;
    const watching = query.has("watch");
    const verb = request.method === "GET"
      ? (name ? "get" : watching ? "watch" : "list")
      : ({ POST: "create", PATCH: "patch", DELETE: "delete" }[request.method] ?? "update");
    const bearer = request.headers.get("authorization")?.replace("Bearer ", "");
    seen.push({ verb, resource, ...name ? { name } : {}, ...bearer ? { token: bearer } : {} });
    const text = await request.text();
    if (hanging) {
      await new Promise<void>((resolve) => hung.add(resolve));
      return new Response(null, { status: 503 });
    }
    const details = { name: name ?? "", kind: resource };
    const say = (code: number, reason: string, message: string, more: object = {}, headers = {}) =>
      Response.json({
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        message,
        reason,
        code,
        details: {
          ...details,
          ...more,
        },
      }, { status: code, headers });
    if (token !== undefined && bearer !== token) return say(401, "Unauthorized", "Unauthorized");
    if (denied.has(`${verb} ${resource}`) || denied.has(`* ${resource}`)) {
      return say(
        403,
        "Forbidden",
        `${resource} is forbidden: User "fake" cannot ${verb} resource "${resource}" in ` +
          `API group "" in the namespace "${namespace}"`,
      );
    }
    const failure = failures.find((row) => row.verb === verb && row.times-- > 0);
    if (failure) {
      const retry = failure.retryAfter;
      const message = failure.echo ? `error found in #10 byte of ...|${text}|...` : "made to fail";
      return say(failure.code, "Made", message, retry ? { retryAfterSeconds: retry } : {}, {
        ...retry ? { "retry-after": String(retry) } : {},
      });
    }
    const key = `${prefix}/${name}`;
    const done = (response: Response) => {
      if (!breaks.delete(verb)) return response;
      const broken = new ReadableStream({ start: (control) => control.error(new Error("broken")) });
      return new Response(broken, { headers: { "content-type": "application/json" } });
    };
    const current = objects.get(key);
    switch (verb) {
      case "watch":
        return watch(prefix, query);
      case "list":
        return list(prefix, query, say);
      case "get":
        return current ? Response.json(current) : say(404, "NotFound", `${resource} "${name}" not found`);
      case "create": {
        const body = JSON.parse(text) as Stored;
        const named = body.metadata?.name;
        const wrong = wrongName(named);
        if (wrong) {
          return say(422, "Invalid", `${resource} "${named}" is invalid: metadata.name: ${wrong}`, {
            causes: [{ reason: "FieldValueInvalid", message: wrong, field: "metadata.name" }],
          });
        }
        if (objects.has(`${prefix}/${named}`)) {
          return say(409, "AlreadyExists", `${resource} "${named}" already exists`);
        }
        const uid = crypto.randomUUID();
        const metadata = { ...body.metadata, ...namespace ? { namespace } : {}, uid };
        return done(Response.json(commit(`${prefix}/${named}`, { ...body, metadata }), { status: 201 }));
      }
      case "patch": {
        if (!current) return say(404, "NotFound", `${resource} "${name}" not found`);
        const patch = JSON.parse(text);
        const wanted = patch.metadata?.resourceVersion;
        if (wanted !== undefined && wanted !== current.metadata.resourceVersion) {
          return say(409, "Conflict", `Operation cannot be fulfilled on ${resource} "${name}"`);
        }
        return done(Response.json(commit(key, merged(current, patch) as Stored)));
      }
      case "delete": {
        if (!current) return say(404, "NotFound", `${resource} "${name}" not found`);
        const uid = text ? JSON.parse(text).preconditions?.uid : undefined;
        if (uid !== undefined && uid !== current.metadata.uid) return say(409, "Conflict", "the UID is another");
        commit(key, undefined);
        return done(Response.json({ kind: "Status", apiVersion: "v1", status: "Success" }));
      }
      default:
        return say(405, "MethodNotAllowed", "not allowed");
    }
  }

  function list(prefix: string, query: URLSearchParams, say: (code: number, reason: string, text: string) => Response) {
    const [from = "", at = String(revision)] = query.get("continue")?.split("|") ?? [];
    if (Number(at) < oldest) return say(410, "Expired", "The provided continue parameter is too old");
    const limit = Number(query.get("limit") ?? 0) || Infinity;
    const all = [...objects].filter(([key, object]) =>
      key.slice(0, key.lastIndexOf("/")) === prefix && matches(object, query.get("labelSelector")) && key > from
    ).sort(([a], [b]) => a < b ? -1 : 1);
    const items = all.slice(0, limit);
    const rest = all.length > items.length ? { continue: `${items.at(-1)?.[0]}|${at}` } : {};
    const metadata = { resourceVersion: at, ...rest };
    return Response.json({ kind: "List", apiVersion: "v1", metadata, items: items.map(([, object]) => object) });
  }

  function watch(prefix: string, query: URLSearchParams): Response {
    const from = Number(query.get("resourceVersion") ?? revision);
    const selector = query.get("labelSelector");
    const encoder = new TextEncoder();
    let self: Watch;
    const body = new ReadableStream<Uint8Array>({
      start(control) {
        self = {
          deaf: false,
          write: (line) => control.enqueue(encoder.encode(JSON.stringify(line) + "\n")),
          tell({ key, before, after, rv }) {
            if (self.deaf || key.slice(0, key.lastIndexOf("/")) !== prefix) return;
            const was = before !== undefined && matches(before, selector);
            const is = after !== undefined && matches(after, selector);
            if (!was && !is) return;
            const object = structuredClone(is ? after : before)!;
            object.metadata.resourceVersion = String(rv);
            self.write({ type: is ? (was ? "MODIFIED" : "ADDED") : "DELETED", object });
          },
          end() {
            if (watches.delete(self)) control.close();
          },
        };
        watches.add(self);
        if (from < oldest) {
          const message = `too old resource version: ${from} (${oldest})`;
          self.write({
            type: "ERROR",
            object: { kind: "Status", status: "Failure", message, reason: "Expired", code: 410 },
          });
          return self.end();
        }
        for (const change of history) if (change.rv > from) self.tell(change);
      },
      cancel: () => void watches.delete(self),
    });
    return new Response(body, { headers: { "content-type": "application/json" } });
  }

  async function listen(): Promise<void> {
    life = new AbortController();
    server = Deno.serve({
      hostname: "127.0.0.1",
      port,
      signal: life.signal,
      onListen: () => {},
      onError: () => new Response(null, { status: 500 }),
    }, answer);
    port = server.addr.port;
    await Promise.resolve();
  }

  async function stop(): Promise<void> {
    for (const watch of [...watches]) watch.end();
    for (const go of hung) go();
    hung.clear();
    life.abort();
    await server.finished;
  }

  await listen();
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    deny: (verb, resource) => void denied.add(`${verb} ${resource}`),
    hang(on = true) {
      hanging = on;
      if (!on) { for (const go of hung) go(); }
    },
    fail: (verb, code, options) => void failures.push({ verb, code, times: 1, ...options }),
    breakAfter: (verb) => void breaks.add(verb),
    cutWatches() {
      for (const watch of [...watches]) watch.end();
    },
    halfOpen() {
      for (const watch of watches) watch.deaf = true;
    },
    expire: () => void (oldest = ++revision),
    async restart(between) {
      await stop();
      between?.();
      await listen();
    },
    requireToken: (wanted) => void (token = wanted),
    bookmark() {
      for (const watch of watches) {
        if (!watch.deaf) {
          watch.write({ type: "BOOKMARK", object: { metadata: { resourceVersion: String(revision) } } });
        }
      }
    },
    watches: () => watches.size,
    close: stop,
  };
}

/** `/api/v1/namespaces/x/pods/y` and its kin; `prefix` names the collection. */
function parsePath(path: string) {
  const parts = path.split("/").slice(1).map(decodeURIComponent);
  const rest = parts[0] === "api" ? parts.slice(2) : parts[0] === "apis" ? parts.slice(3) : [];
  const namespace = rest[0] === "namespaces" && rest.length > 2 ? rest[1] : undefined;
  const [resource, name] = namespace === undefined ? rest : rest.slice(2);
  if (!resource || resource === "unknowns") return undefined;
  const group = parts.slice(0, parts.length - rest.length).join("/");
  return { prefix: `${group}/${namespace ?? ""}/${resource}`, resource, namespace, name };
}
