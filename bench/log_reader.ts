/**
 * The far end of the log bench, on a thread of its own so that the runner has its core to itself: it takes each chunk
 * and answers at once. A bare socket (no subprotocol) gets one short answer for each message.
 */
import { LIMITS, SUBPROTOCOL } from "../mod/protocol/methods.ts";
import { answerTo } from "./listening.ts";

/** What the reader tells whoever started it. */
export type Told = { kind: "listening"; port: number } | { kind: "end"; bytes: number };

/** A worker's own scope; the checker takes this file for a program's. */
declare const self: { postMessage(told: Told): void };

const encoder = new TextEncoder();

const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
  const isRunner = request.headers.has("sec-websocket-protocol");
  const { socket, response } = Deno.upgradeWebSocket(request, isRunner ? { protocol: SUBPROTOCOL } : {});
  socket.onmessage = isRunner ? serveRunner(socket) : ({ data }) => socket.send(String(data.length));
  return response;
});
tell({ kind: "listening", port: server.addr.port });

function serveRunner(socket: WebSocket): (event: MessageEvent<string>) => void {
  let total = 0;
  return ({ data }) => {
    const { id, method, params, error } = JSON.parse(data);
    if (error) throw new Error(`Cannot measure: the runner answered ${error.message}`);
    if (method === undefined) return;
    let result = answerTo(method);
    if (method === "log.chunk") {
      const lines: string[] = params.lines ?? [];
      const bytes = lines.length === 0 ? 0 : encoder.encode(lines.join("\n")).length + 1;
      total += bytes;
      result = { credit: bytes };
      if (params.end !== undefined) tell({ kind: "end", bytes: total });
    }
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, result }));
    if (method !== "pipelines.snapshot" || !params.last) return;
    const open = { streamId: "bench", runId: crypto.randomUUID(), follow: false, window: LIMITS.logWindowBytes };
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "log.open", params: open }));
  };
}

function tell(told: Told): void {
  self.postMessage(told);
}
