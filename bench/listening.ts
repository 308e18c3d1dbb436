/** A control plane's end without a peer: it says yes to every request, and its sends and answers can be timed bare. */
import { LIMITS, SUBPROTOCOL } from "../mod/protocol/methods.ts";

export interface Listening extends AsyncDisposable {
  url: string;
  /** The runner's socket, once it has told its snapshots. */
  connected: Promise<WebSocket>;
  /** Resolves when the answer with this id comes. */
  answer(id: number): Promise<void>;
}

/** Listens on loopback, on a free port, for one runner. */
export function listen(): Listening {
  const connected = Promise.withResolvers<WebSocket>();
  const waiting = new Map<number, () => void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL });
    socket.onmessage = ({ data }) => {
      const { id, method, params, error } = JSON.parse(data);
      if (method === undefined) {
        if (error) throw new Error(`Cannot measure: the runner answered ${error.message}`);
        waiting.get(id)?.();
        return;
      }
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: answerTo(method) }));
      if (method === "pipelines.snapshot" && params.last) connected.resolve(socket);
    };
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}`,
    connected: connected.promise,
    answer: (id) => new Promise((resolve) => waiting.set(id, resolve)),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Yes, to anything that a runner may ask. */
export function answerTo(method: string): unknown {
  const clock = new Date().toISOString();
  const { frameBytes, snapshotPage, heartbeatSeconds } = LIMITS;
  switch (method) {
    case "runner.hello": {
      const limits = { frameBytes, snapshotPage };
      return { sessionId: "bench", heartbeatSeconds, limits, serverVersion: "bench", clock, full: false };
    }
    case "runner.heartbeat":
      return { clock };
    case "runs.snapshot":
    case "pipelines.snapshot":
      return { decisions: [] };
    default:
      return {};
  }
}
