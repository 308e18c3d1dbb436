/**
 * The control channel over the platform's WebSocket (RFC 6455). What the platform hides is made good here: a connect
 * timer, the true reason of a refused upgrade, a close that ends even where the peer is silent.
 */
import { Fault, isFault } from "../../mod/fault.ts";
import type { Channel, Clock, Connection, TokenSource } from "../../mod/ports.ts";
import { DEFAULT_PATH, SUBPROTOCOL } from "../../mod/protocol/methods.ts";
import { createConnection } from "./connection.ts";
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
