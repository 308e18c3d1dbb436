/**
 * The link between a runner and its API server, in the test's own process: plain HTTP in front, the real server behind.
 * It counts what is asked, and can make the link do what real links do, at the very request that a test names.
 */
import type { ClusterConfig } from "../../../adapters/cluster/config.ts";
import { type ApiCall, apiCall, type Match } from "./api_call.ts";

/** Lives until it is disposed of. */
export interface ApiProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly address: string;
  /** Requests by `verb resource`, and their bytes both ways. */
  counts(): Record<string, { requests: number; bytes: number }>;
  /** Every write in its order: `verb resource`. */
  readonly writes: readonly string[];
  /** Once: does this when such a request comes; the API server never sees that one. Resolves when it is done. */
  before(match: Match, action: () => Promise<void>): Promise<void>;
  /** Once: does this when the API server has carried such a request out; its answer is lost. Resolves when it is done. */
  after(match: Match, action: () => Promise<void>): Promise<void>;
  /** Ends all watches: orderly, as the API server ends them, or by breaking their connections. */
  cutWatches(how?: "orderly" | "broken"): void;
  /** The next watch of this resource is told that its version is too old: as an event, or at once as HTTP 410. */
  expire(resource: string, how: "event" | "status"): Promise<void>;
  /** Whatever goes over the connections that exist now vanishes, both ways; they stay open. New ones are sound. */
  halfOpen(): void;
  /** Such requests get no answer until `release`; then they are carried out. */
  hang(match: Match): { release(): void; held(): number };
  /** Watches that are open. */
  watches(): number;
}

interface Hook {
  when: "before" | "after";
  match: Match;
  action: () => Promise<void>;
  done: PromiseWithResolvers<void>;
}

interface OpenWatch {
  resource: string;
  port: number;
  end(error?: Error): void;
}

const GONE = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", reason: "Expired", code: 410 };
const NOT_PASSED_ON = [
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "content-encoding",
  "accept-encoding",
];

/** A proxy to the API server of `config`; who asks is said by the client's own token. */
export async function startApiProxy(config: ClusterConfig): Promise<ApiProxy> {
  const over = new AbortController();
  const { caCerts } = await config.tls(over.signal);
  const client = Deno.createHttpClient({ http2: false, ...caCerts ? { caCerts } : {} });
  const counted = new Map<string, { requests: number; bytes: number }>();
  const writes: string[] = [];
  const hooks = new Set<Hook>();
  const expired = new Map<string, { how: "event" | "status"; told: PromiseWithResolvers<void> }>();
  const hangs = new Set<{ match: Match; released: Promise<void>; held: number }>();
  const watches = new Set<OpenWatch>();
  /** Ports of connections that are half-open, and all that were seen. */
  const dead = new Set<number>(), seen = new Set<number>();
  const ended = new Promise<never>((_, reject) => {
    over.signal.addEventListener("abort", () => reject(over.signal.reason), { once: true });
  });
  ended.catch(() => {});

  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    onError: (error) => new Response(String(error), { status: 502 }),
  }, async (request, info) => {
    const port = "port" in info.remoteAddr ? info.remoteAddr.port : 0;
    seen.add(port);
    const body = await request.text();
    const call = apiCall(request.method, new URL(request.url), body);
    return await answer(request, call, port);
  });

  async function answer(request: Request, call: ApiCall, port: number): Promise<Response> {
    const what = `${call.verb} ${call.resource}`;
    const count = counted.get(what) ?? { requests: 0, bytes: 0 };
    counted.set(what, count);
    count.requests++;
    count.bytes += call.body.length;
    if (dead.has(port)) return await ended;
    for (const hang of hangs) {
      if (!hang.match(call)) continue;
      hang.held++;
      await Promise.race([hang.released, ended]);
    }
    if (await hooked("before", call)) return await ended;
    const expiry = call.verb === "watch" ? expired.get(call.resource) : undefined;
    if (expiry) {
      expired.delete(call.resource);
      expiry.told.resolve();
      return expiry.how === "status"
        ? Response.json(GONE, { status: 410 })
        : new Response(`${JSON.stringify({ type: "ERROR", object: GONE })}\n`);
    }
    if (["create", "patch", "delete"].includes(call.verb)) writes.push(what);
    return await passedOn(request, call, port, count);
  }

  async function passedOn(
    request: Request,
    call: ApiCall,
    port: number,
    count: { bytes: number },
  ): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    for (const name of NOT_PASSED_ON) headers.delete(name);
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, over.signal]);
    const reply = await fetch(config.server + pathname + search, {
      method: request.method,
      headers,
      client,
      redirect: "manual",
      signal,
      ...call.body === "" ? {} : { body: call.body },
    });
    const onward = new Headers(reply.headers);
    for (const name of NOT_PASSED_ON) onward.delete(name);
    // Or the platform would compress, and hold lines back.
    onward.set("cache-control", "no-transform");
    const init = { status: reply.status, headers: onward };
    const streams = call.verb === "watch" || call.resource === "pods/log";
    if (!streams || reply.body === null) {
      const content = new Uint8Array(await reply.arrayBuffer());
      count.bytes += content.length;
      if (await hooked("after", call)) return await ended;
      return new Response(content, init);
    }
    return new Response(streamed(reply.body, call, port, count, gone), init);
  }

  function streamed(
    body: ReadableStream<Uint8Array>,
    { verb, resource }: ApiCall,
    port: number,
    count: { bytes: number },
    gone: AbortController,
  ): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    let isOver = false;
    let watch: OpenWatch | undefined;
    const end = () => {
      isOver = true;
      if (watch) watches.delete(watch);
      reader.cancel().catch(() => {});
      gone.abort();
    };
    return new ReadableStream({
      start(controller) {
        if (verb !== "watch") return;
        watch = {
          resource,
          port,
          end(error) {
            if (isOver) return;
            end();
            if (error) controller.error(error);
            else controller.close();
          },
        };
        watches.add(watch);
      },
      async pull(controller) {
        try {
          for (;;) {
            const { value, done } = await reader.read();
            if (isOver) return;
            if (done) {
              // What the server ends on a half-open link is not heard of either.
              if (dead.has(port)) return;
              end();
              return controller.close();
            }
            count.bytes += value.length;
            if (dead.has(port)) continue;
            return controller.enqueue(value);
          }
        } catch (error) {
          if (isOver || dead.has(port)) return;
          end();
          controller.error(error);
        }
      },
      cancel: end,
    });
  }

  async function hooked(when: Hook["when"], call: ApiCall): Promise<boolean> {
    const hook = [...hooks].find((each) => each.when === when && each.match(call));
    if (hook === undefined) return false;
    hooks.delete(hook);
    await hook.action().then(hook.done.resolve, hook.done.reject);
    return true;
  }

  function arm(when: Hook["when"], match: Match, action: () => Promise<void>): Promise<void> {
    const done = Promise.withResolvers<void>();
    done.promise.catch(() => {});
    hooks.add({ when, match, action, done });
    return done.promise;
  }

  return {
    address: `http://127.0.0.1:${server.addr.port}`,
    counts: () => Object.fromEntries([...counted].sort(([a], [b]) => a < b ? -1 : 1)),
    writes,
    before: (match, action) => arm("before", match, action),
    after: (match, action) => arm("after", match, action),
    cutWatches(how = "orderly") {
      for (const watch of [...watches]) watch.end(how === "broken" ? new Error("the connection was cut") : undefined);
    },
    expire(resource, how) {
      const told = Promise.withResolvers<void>();
      expired.set(resource, { how, told });
      for (const watch of [...watches]) if (watch.resource === resource) watch.end();
      return told.promise;
    },
    halfOpen: () => seen.forEach((port) => dead.add(port)),
    hang(match) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const hang = { match, released: promise, held: 0 };
      hangs.add(hang);
      return {
        held: () => hang.held,
        release() {
          hangs.delete(hang);
          resolve();
        },
      };
    },
    watches: () => [...watches].filter(({ port }) => !dead.has(port)).length,
    async [Symbol.asyncDispose]() {
      over.abort(new Error("the proxy is over"));
      for (const watch of [...watches]) watch.end();
      await server.shutdown();
      client.close();
    },
  };
}
