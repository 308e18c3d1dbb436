/**
 * The control channel over the platform's WebSocket (RFC 6455). What the platform hides is made good here: a connect
 * timer, the true reason of a refused upgrade, a close that ends even where the peer is silent.
 */
import { Fault, isFault, reasonOf } from "../../mod/fault.ts";
import type { Channel, Clock, Closed, Connection, TokenSource } from "../../mod/ports.ts";
import { CLOSES } from "../../mod/protocol/closes.ts";
import { DEFAULT_PATH, SUBPROTOCOL } from "../../mod/protocol/methods.ts";
import { explainRefusal } from "./refusal.ts";

/** Where to dial, and with what. */
export interface WebSocketChannelOptions {
  /** `wss://host[/path]`; without a path the protocol's default is taken. */
  serverUrl: string;
  tokens: TokenSource;
  clock: Clock;
  /** PEM texts of additional certificate authorities. */
  caCerts?: string[];
  /** PEM texts for mutual TLS. */
  clientCertificate?: { cert: string; key: string };
  connectTimeoutMs?: number;
}

/** What a link that was given up is told as: RFC 6455's "abnormal closure", which is never sent. */
const ABANDONED = 1006;
/** How long a peer may take to answer our close. */
const CLOSE_MS = 3000;
/** More than all log windows and answers of a healthy link. */
const MOST_BUFFERED_BYTES = 64 * 1024 * 1024;

/** Dials SERVER_URL with the token as it is at that moment. */
export function createWebSocketChannel(options: WebSocketChannelOptions): Channel {
  const url = connectUrl(options.serverUrl);
  return {
    async dial(signal: AbortSignal): Promise<Connection> {
      const token = await options.tokens.read(signal);
      // The platform would quote a token that fits into no header; nothing of it may be shown.
      if (!/^[\x21-\x7e]+$/.test(token)) {
        throw new Fault(
          "invalid",
          "Cannot send the token: it holds spaces, line breaks or other characters that no JWT has",
        );
      }
      // A client for each dial: a fresh one never reuses a connection that has died.
      const client = Deno.createHttpClient({
        http2: false,
        ...options.caCerts ? { caCerts: options.caCerts } : {},
        ...options.clientCertificate ?? {},
      });
      const timeout = AbortSignal.timeout(options.connectTimeoutMs ?? 15_000);
      try {
        return await open(url, token, client, options.clock, AbortSignal.any([signal, timeout]));
      } catch (error) {
        signal.throwIfAborted();
        if (isFault(error, "malformed")) throw error;
        if (timeout.aborted) {
          throw new Fault("unavailable", `Cannot dial ${url}: no connection in time`, { cause: error });
        }
        throw await explainRefusal(url, token, client, error, signal);
      } finally {
        // The WebSocket holds what it needs of it.
        client.close();
      }
    },
  };
}

/** SERVER_URL with the protocol's path where it has none. */
export function connectUrl(serverUrl: string): string {
  const url = new URL(serverUrl);
  if (url.pathname === "/") url.pathname = DEFAULT_PATH;
  return url.href;
}

function open(
  url: string,
  token: string,
  client: Deno.HttpClient,
  clock: Clock,
  signal: AbortSignal,
): Promise<Connection> {
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  const socket = new WebSocket(url, {
    protocols: [SUBPROTOCOL],
    headers: { authorization: `Bearer ${token}` },
    client,
  });
  socket.binaryType = "arraybuffer";
  const aborted = () => {
    reject(signal.reason);
    socket.close();
  };
  signal.addEventListener("abort", aborted, { once: true });
  socket.onopen = () => {
    signal.removeEventListener("abort", aborted);
    if (signal.aborted) return;
    if (socket.protocol === SUBPROTOCOL) return resolve(createConnection(socket, clock));
    socket.close();
    reject(
      new Fault("malformed", `Cannot dial ${url}: the server did not choose ${SUBPROTOCOL} ("${socket.protocol}")`),
    );
  };
  socket.onerror = (event) => {
    signal.removeEventListener("abort", aborted);
    reject(new Fault("unavailable", `Cannot dial ${url}: ${event instanceof ErrorEvent ? event.message : "refused"}`));
  };
  return promise;
}

/** A connection over an open WebSocket, ours or one that a server accepted. */
export function createConnection(socket: WebSocket, clock: Clock): Connection {
  const queue: string[] = [];
  let wake = Promise.withResolvers<void>();
  let isOver = false;
  const { promise: closed, resolve } = Promise.withResolvers<Closed>();
  const over = new AbortController();

  const end = (how: Closed) => {
    if (isOver) return;
    isOver = true;
    over.abort(new Fault("unavailable", "Cannot wait for the close: it came"));
    resolve(how);
    wake.resolve();
  };
  socket.onmessage = ({ data }) => {
    if (isOver) return;
    if (typeof data !== "string") return close(CLOSES.malformed.code, "binary frames are not used");
    queue.push(data);
    wake.resolve();
  };
  socket.onclose = ({ code, reason }) => end({ code, reason });
  // An error is followed by a close, which says all there is.
  socket.onerror = (event) => event.preventDefault();

  function close(code: number, reason: string): void {
    if (isOver) return;
    try {
      socket.close(code, fitted(reason));
    } catch (error) {
      return end({ code: ABANDONED, reason: reasonOf(error) });
    }
    clock.sleep(CLOSE_MS, over.signal).then(() => end({ code, reason }), () => {});
  }

  return {
    send(text: string): void {
      if (isOver || socket.readyState !== WebSocket.OPEN) {
        throw new Fault("unavailable", "Cannot send a frame: the link is closed");
      }
      // A peer that takes nothing would grow this without end, and its own frames would still look like life.
      if (socket.bufferedAmount > MOST_BUFFERED_BYTES) {
        abandon(`${MOST_BUFFERED_BYTES} bytes wait to be sent`);
        throw new Fault("unavailable", "Cannot send a frame: the peer takes none");
      }
      socket.send(text);
    },
    get buffered(): number {
      return isOver ? 0 : socket.bufferedAmount;
    },
    frames: {
      async *[Symbol.asyncIterator](): AsyncIterator<string> {
        for (;;) {
          // Taken in whole batches: shifting a long array one by one costs its length each time.
          const batch = queue.splice(0);
          for (const text of batch) yield text;
          if (queue.length > 0) continue;
          if (isOver) return;
          wake = Promise.withResolvers<void>();
          await wake.promise;
        }
      },
    },
    closed,
    close,
    abandon,
  };

  function abandon(reason: string): void {
    if (isOver) return;
    end({ code: ABANDONED, reason });
    try {
      socket.close();
    } catch {
      // It was never open, or is closing: there is nothing more to do for it.
    }
  }
}

/** A close frame's reason has room for 123 bytes of UTF-8. */
function fitted(reason: string): string {
  let text = reason.slice(0, 123);
  while (new TextEncoder().encode(text).length > 123) text = text.slice(0, -1);
  return text;
}
