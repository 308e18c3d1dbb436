/** The HTTP server: who may ask what, and which part answers. */
import { Fault, isFault, reasonOf } from "../../../mod/fault.ts";
import type { Log } from "../../../mod/ports.ts";
import { DEFAULT_PATH } from "../../../mod/protocol/methods.ts";
import type { ControlPlane } from "../../mod/control_plane.ts";
import type { Storage, Tokens } from "../../mod/ports.ts";
import { type Auth, createAuth, LOGOUT_COOKIE, TOKEN_RULE } from "./auth.ts";
import { login, redirect } from "./login.ts";
import { createPages, type Pages } from "./pages.ts";
import { problem, problemOf } from "./problem.ts";
import { callRest, type RestDeps } from "./rest.ts";
import { connectRunner, unauthorized } from "./runner_endpoint.ts";

/** Where to listen, and what to serve. */
export interface ServerOptions {
  hostname: string;
  port: number;
  /** PEM texts. */
  tls?: { cert: string; key: string };
  /** No login for whoever is on this machine; only with a loopback hostname. */
  openOnLoopback: boolean;
  plane: ControlPlane;
  storage: Storage;
  tokens: Tokens;
  log: Log;
  now: () => number;
}

/** A server that listens. */
export interface RunningServer {
  hostname: string;
  port: number;
  /** Takes no more requests, ends the streams, and waits for what is in hand. */
  stop(): Promise<void>;
}

/** What is in hand may take this long once the server stops. */
const STOP_MS = 2_000;

/** Listens. Faults: `conflict` (the port is in use), `denied`, `invalid` (such a host or certificate is none). */
export function startServer(options: ServerOptions): RunningServer {
  const { hostname, port, tls, openOnLoopback, plane, storage, tokens, log, now } = options;
  const stopping = new AbortController();
  const auth = createAuth({ tokens, storage, open: openOnLoopback, secure: tls !== undefined, now });
  const pages = createPages(plane.views);
  const context = { auth, pages, log, plane, rest: { plane, storage, signal: stopping.signal } };
  const listen = {
    hostname,
    port,

    ...tls ?? {},
    onListen: () => {},
    onError: (error: unknown) => failed(error, log),
  };
  try {
    const server = Deno.serve(listen, async (request) => secured(await answer(request, context)));
    return {
      hostname: server.addr.hostname,
      port: server.addr.port,
      async stop() {
        stopping.abort(new Error("the server stops"));
        // Who has sent half a request, or reads nothing, is not waited for.
        let patience: ReturnType<typeof setTimeout> | undefined;
        const enough = new Promise<void>((resolve) => patience = setTimeout(resolve, STOP_MS));
        await Promise.race([server.shutdown(), enough]);
        clearTimeout(patience);
      },
    };
  } catch (error) {
    throw listenFault(error, hostname, port);
  }
}

interface Context {
  auth: Auth;
  pages: Pages;
  log: Log;
  plane: ControlPlane;
  rest: RestDeps;
}

async function answer(request: Request, { auth, pages, log, plane, rest }: Context): Promise<Response> {
  const url = new URL(request.url);
  if (url.pathname === DEFAULT_PATH) return await connectRunner(request, { auth, log, accept: plane.accept });
  if (url.pathname === "/healthz") return new Response("ok\n", { headers: { "content-type": "text/plain" } });
  const isRest = url.pathname.startsWith("/api/v1/");
  try {
    if (url.pathname === "/login" && request.method === "POST") return await login(request, auth);
    if (url.pathname === "/logout" && request.method === "POST") return redirect("/login", LOGOUT_COOKIE);
    // Signing in and what it is drawn with are for everybody.
    if (url.pathname === "/login" || url.pathname.startsWith("/assets/")) {
      return await pages(request, url, { open: false }) ?? missing(url);
    }
    const { name, open, claims } = await auth.operator(request);
    if (isRest) return await callRest(request, url, { actor: name, claims }, rest);
    return await pages(request, url, { open }) ?? missing(url);
  } catch (error) {
    const needsToken = isFault(error, "denied") && error.details.rule === TOKEN_RULE;
    if (needsToken && isRest) return unauthorized(error);
    if (needsToken && request.method === "GET") {
      return redirect(`/login?next=${encodeURIComponent(url.pathname + url.search)}`);
    }
    const { response, fault } = problemOf(error, `answer ${request.method} ${url.pathname}`);
    if (fault.code === "internal") log("error", "http.failed", { url: url.pathname, error });
    return response;
  }
}

function missing(url: URL): Response {
  return problem(404, "not_found", `Cannot find ${url.pathname}: there is no such page`);
}

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

function secured(response: Response): Response {
  // An upgrade's answer is the platform's own.
  if (response.status === 101) return response;
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
    if (!response.headers.has(name)) response.headers.set(name, value);
  }
  return response;
}

function failed(error: unknown, log: Log): Response {
  log("error", "http.failed", { error });
  return problem(500, "internal", "Cannot answer: a defect of the control plane");
}

function listenFault(error: unknown, hostname: string, port: number): Fault {
  const at = `${hostname}:${port}`;
  if (error instanceof Deno.errors.AddrInUse) {
    return new Fault("conflict", `Cannot listen on ${at}: the port is in use; choose another with --listen`, {
      cause: error,
    });
  }
  const code = error instanceof Deno.errors.PermissionDenied ? "denied" : "invalid";
  return new Fault(code, `Cannot listen on ${at}: ${reasonOf(error)}`, { cause: error });
}
