/** A server with the real pages and a scripted world behind them: what REST answers and what events tell is the test's. */
import { createPages } from "../../control-plane/adapters/http/pages.ts";
import type { Change, LogEvent } from "../../control-plane/mod/views.ts";
import { dataOf, type Scene } from "../web/scene.ts";

/** One scripted server. */
export interface ScriptedServer {
  origin: string;
  scene: Scene;
  /** Every POST: method and path, and the body. */
  asked: { path: string; body: string }[];
  /** What the next POSTs are answered with. */
  answer: () => Response;
  /** Nobody is signed in: as the real server does it, pages lead to the sign-in, and the rest is refused. */
  signedOut: boolean;
  /** The addresses by which the log was opened. */
  logOpened: string[];
  tell(change: Change): void;
  log(event: LogEvent): void;
  /** How many listen to the changes now. */
  listeners(): number;
  /** Breaks every event stream off. */
  cut(): void;
  stop(): Promise<void>;
}

type Stream = ReadableStreamDefaultController<Uint8Array>;

/** Starts one on a free port of the loopback. */
export function startScriptedServer(scene: Scene): ScriptedServer {
  const changes = new Set<Stream>();
  const logs = new Set<Stream>();
  const pages = createPages(dataOf(scene));
  const handle = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    if (request.method === "POST") {
      server.asked.push({ path: url.pathname, body: await request.text() });
      return server.answer();
    }
    if (server.signedOut && url.pathname !== "/login" && !url.pathname.startsWith("/assets/")) {
      const isPage = !url.pathname.startsWith("/api/");
      return isPage ? Response.redirect(new URL("/login", url), 303) : new Response("sign in", { status: 401 });
    }
    if (url.pathname === "/api/v1/events") return stream(changes);
    if (url.pathname.endsWith("/log/events")) {
      server.logOpened.push(url.pathname + url.search);
      return stream(logs);
    }
    return await pages(request, url, { open: true }) ?? new Response("nothing here", { status: 404 });
  };
  const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handle);
  const cut = () => {
    for (const controller of [...changes, ...logs]) controller.close();
    changes.clear();
    logs.clear();
  };
  const server: ScriptedServer = {
    origin: `http://127.0.0.1:${http.addr.port}`,
    scene,
    asked: [],
    signedOut: false,
    answer: () => Response.json({}, { status: 202 }),
    logOpened: [],
    tell: ({ event, data }) => send(changes, event, data),
    log: ({ event, data }) => send(logs, event, data),
    listeners: () => changes.size,
    cut,
    async stop() {
      cut();
      await http.shutdown();
    },
  };
  return server;
}

function stream(to: Set<Stream>): Response {
  let mine: Stream | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      mine = controller;
      to.add(controller);
      controller.enqueue(encoder.encode(": welcome\n\n"));
    },
    cancel() {
      if (mine !== undefined) to.delete(mine);
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
}

function send(to: Set<Stream>, event: string, data: unknown): void {
  const bytes = encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  for (const controller of to) controller.enqueue(bytes);
}

const encoder = new TextEncoder();
