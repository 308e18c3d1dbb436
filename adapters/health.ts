/** Health over HTTP for the kubelet: /livez (our loops), /readyz (can we work), /healthz (all of it as JSON). */
import { Fault, reasonOf } from "../mod/fault.ts";

/** What the server asks about, anew at each request. */
export interface Health {
  /** Loops and their ages; any `stuck` one fails liveness. */
  loops(): { name: string; seconds: number; restarts: number; stuck: boolean }[];
  /** Each condition of readiness with its sentence. */
  conditions(): Promise<{ name: string; ok: boolean; message: string }[]>;
}

/** A server that listens; disposing of it lets the requests in hand end. */
export interface HealthServer extends AsyncDisposable {
  port: number;
}

const CLOSE_MS = 1000;

/** Fault `unavailable` where the port cannot be had. */
export function serveHealth(health: Health, { hostname, port }: { hostname: string; port: number }): HealthServer {
  const server = listen();
  return { port: server.addr.port, [Symbol.asyncDispose]: close };

  /** Lets requests in hand end, but not one that is never finished: the grace period is not a client's to use up. */
  async function close(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    await Promise.race([server.shutdown(), late]);
    clearTimeout(timer);
  }

  function listen(): Deno.HttpServer<Deno.NetAddr> {
    try {
      return Deno.serve({ hostname, port, onListen: () => {} }, (request) => answer(new URL(request.url).pathname));
    } catch (error) {
      throw new Fault("unavailable", `Cannot serve health on port ${port}: ${reasonOf(error)}; set HEALTH_PORT`, {
        cause: error,
      });
    }
  }

  async function answer(path: string): Promise<Response> {
    const loops = health.loops();
    const alive = loops.every((loop) => !loop.stuck);
    if (path === "/livez") return verdict(alive, loops.filter((loop) => loop.stuck).map((loop) => loop.name));
    const conditions = await health.conditions();
    const ready = conditions.every((condition) => condition.ok);
    switch (path) {
      case "/readyz":
        return verdict(ready, conditions.filter(({ ok }) => !ok).map(({ name, message }) => `${name}: ${message}`));
      case "/healthz":
        return Response.json({ alive, ready, loops, conditions }, { status: alive && ready ? 200 : 503 });
      default:
        return new Response("not found\n", { status: 404 });
    }
  }
}

function verdict(ok: boolean, problems: string[]): Response {
  return new Response(ok ? "ok\n" : `${problems.join("\n")}\n`, { status: ok ? 200 : 503 });
}
