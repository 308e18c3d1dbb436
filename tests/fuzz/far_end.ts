/** The end of a WebSocket that the storm comes from: it sends anything, keeps what is answered, and answers requests. */
import type { Closed } from "../../mod/ports.ts";
import { within } from "../wait.ts";
import type { Sent } from "./frames.ts";
import type { Answer } from "./oracle.ts";

/** Answers a request of the program under test; undefined leaves it unanswered. */
export type Responder = (method: string, params: unknown, end: FarEnd) => unknown;

export interface FarEnd {
  send(frame: Sent): void;
  /** A request as it should be; rejects with the error as it came. */
  request(method: string, params: unknown): Promise<unknown>;
  /** Answers to what `send` sent, as they come. */
  readonly answers: Answer[];
  /** Resolves when something came, or the link has ended. */
  news(): Promise<void>;
  readonly closed: Promise<Closed>;
  isClosed(): boolean;
  /** Whoever answers its requests may mark that it stands. */
  isReady: boolean;
  close(code?: number): void;
}

/** Over a socket that is open, or about to be. */
export function farEndOf(socket: WebSocket, respond: Responder): FarEnd {
  const answers: Answer[] = [];
  const waiting = new Map<string, { resolve(result: unknown): void; reject(error: Error): void }>();
  const closed = Promise.withResolvers<Closed>();
  let wake = Promise.withResolvers<void>();
  let isClosed = false, requests = 0;
  const ring = () => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };

  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (typeof message.method === "string") {
      const result = respond(message.method, message.params, end);
      if (result !== undefined && socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }));
      }
      return;
    }
    const own = waiting.get(message.id);
    if (own === undefined) answers.push(message);
    else if (message.error) own.reject(new Error(`${message.error.code}: ${message.error.message}`));
    else own.resolve(message.result);
    waiting.delete(message.id);
    ring();
  };
  socket.onerror = (event) => event.preventDefault();
  socket.onclose = ({ code, reason }) => {
    isClosed = true;
    closed.resolve({ code, reason });
    for (const { reject } of waiting.values()) reject(new Error(`the link was closed with ${code} ${reason}`));
    ring();
  };

  const end: FarEnd = {
    send: (frame) => socket.readyState === WebSocket.OPEN && socket.send(frame),
    request(method, params) {
      // An id that no generated frame has.
      const id = `the storm's own ${requests++}`;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      waiting.set(id, { resolve, reject });
      end.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
      return within(`an answer to ${method}`, promise);
    },
    answers,
    news: () => wake.promise,
    closed: closed.promise,
    isClosed: () => isClosed,
    isReady: false,
    close: (code) => socket.close(code),
  };
  return end;
}
