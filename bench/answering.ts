/** The least control plane that a runner is content with: it takes any token and answers every request. */
import { createConnection } from "../adapters/channel/connection.ts";
import { systemClock } from "../adapters/clock.ts";
import { LIMITS, SUBPROTOCOL, TO_CONTROL_PLANE, TO_RUNNER } from "../mod/protocol/methods.ts";
import { createPeer } from "../mod/protocol/peer.ts";

export interface Answering {
  url: string;
  /** Resolves with the time (milliseconds of `performance`) at which the next runner has told both snapshots. */
  nextConnected(): Promise<number>;
  close(): Promise<void>;
}

/** Listens on loopback, on a free port. */
export function createAnswering(): Answering {
  let connected = Promise.withResolvers<number>();
  const stop = new AbortController();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL });
    socket.onopen = () => void serve(socket);
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}`,
    nextConnected: () => (connected = Promise.withResolvers<number>()).promise,
    async close() {
      stop.abort();
      await server.shutdown();
    },
  };

  async function serve(socket: WebSocket): Promise<void> {
    const clock = () => new Date().toISOString();
    const { frameBytes, snapshotPage, heartbeatSeconds } = LIMITS;
    const peer = createPeer<typeof TO_CONTROL_PLANE, typeof TO_RUNNER>({
      connection: createConnection(socket, systemClock),
      incoming: TO_CONTROL_PLANE,
      outgoing: TO_RUNNER,
      clock: systemClock,
      log: () => {},
      signal: stop.signal,
      frameBytes,
      handlers: {
        "runner.hello": () =>
          Promise.resolve({
            sessionId: "bench",
            heartbeatSeconds,
            limits: { frameBytes, snapshotPage },
            serverVersion: "bench",
            clock: clock(),
            full: false,
          }),
        "runner.heartbeat": () => {
          connected.resolve(performance.now());
          return Promise.resolve({ clock: clock() });
        },
        "runs.snapshot": () => Promise.resolve({ decisions: [] }),
        "pipelines.snapshot": () => Promise.resolve({ decisions: [] }),
        "run.status": () => Promise.resolve({}),
        "log.chunk": () => Promise.resolve({ credit: 0 }),
        "pipeline.event": () => Promise.resolve({}),
      },
    });
    await peer.run();
  }
}

/** A token that can be read and proves nothing: the bench's server takes any. */
export function token(): string {
  const part = (value: unknown) => btoa(JSON.stringify(value)).replaceAll("=", "");
  return `${part({ alg: "none" })}.${part({ sub: "bench" })}.x`;
}
