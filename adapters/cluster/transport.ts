/**
 * One HTTP exchange with the API server, over the platform's fetch. The platform keeps no link alive and reuses dead
 * connections, so every wait has its limit here, and what timed out is never asked over the same client again.
 */
import { reasonOf } from "../../mod/fault.ts";
import type { ClusterConfig } from "./config.ts";
import { createPatience } from "./patience.ts";

/** One request. */
export interface Exchange {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Path and query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
  timeoutMs: number;
}

/** The way to one API server. */
export interface Transport {
  /** The whole answer, read to its end. Rejects with `NoAnswer`, a fault of the configuration, or the abort's reason. */
  ask(exchange: Exchange, signal: AbortSignal): Promise<Answer>;
  /** The same with the body still to be read; the limit is for the head only. An aborted signal ends the body too. */
  open(exchange: Exchange, signal: AbortSignal): Promise<Response>;
  /** From now on over new connections; what is open stays. */
  renew(): void;
  close(): void;
}

/** An answer of whatever status. */
export interface Answer {
  code: number;
  headers: Headers;
  text: string;
  /** The token that was sent. */
  token?: string;
}

/** Nothing came back, or not all of it. With `unsent` the server has not seen the request. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  readonly unsent: boolean;

  constructor(message: string, unsent: boolean, cause: unknown) {
    super(message, { cause });
    this.unsent = unsent;
  }
}

/** A transport that connects at its first request. */
export function createTransport(config: ClusterConfig): Transport {
  let current: Promise<Deno.HttpClient> | undefined;

  async function connect(signal: AbortSignal): Promise<Deno.HttpClient> {
    const tls = await config.tls(signal);
    const proxy = config.proxy === undefined ? {} : { proxy: { url: config.proxy } };
    const { cert, key, caCerts } = tls;
    return Deno.createHttpClient({
      http2: false,
      ...caCerts ? { caCerts } : {},
      ...cert && key ? { cert, key } : {},
      ...proxy,
    });
  }

  async function client(signal: AbortSignal): Promise<{ client: Deno.HttpClient; made: Promise<Deno.HttpClient> }> {
    // One of many askers makes it; its abort must not be theirs, so files are read without a signal.
    const made = current ??= connect(new AbortController().signal);
    try {
      return { client: await made, made };
    } catch (error) {
      if (current === made) current = undefined;
      signal.throwIfAborted();
      throw error;
    }
  }

  /** Only the first of those who found it dead takes it away. */
  function discard(made: Promise<Deno.HttpClient> | undefined): void {
    if (made === undefined || current !== made) return;
    current = undefined;
    made.then((client) => client.close(), () => {});
  }

  async function exchange<T>(
    { method, path, headers, body, timeoutMs }: Exchange,
    signal: AbortSignal,
    read: (response: Response, token: string | undefined) => Promise<T>,
    hold: boolean,
  ): Promise<T> {
    signal.throwIfAborted();
    const token = await config.token(signal);
    const { client: over, made } = await client(signal);
    const patience = createPatience(signal, timeoutMs);
    let kept = false;
    try {
      const response = await fetch(config.server + path, {
        method,
        client: over,
        redirect: "manual",
        headers: { ...headers, ...token === undefined ? {} : { authorization: `Bearer ${token}` } },
        ...body === undefined ? {} : { body: once(body) },
        signal: patience.signal,
      });
      const result = await read(response, token);
      kept = hold;
      return result;
    } catch (error) {
      signal.throwIfAborted();
      discard(made);
      if (patience.lost) throw new NoAnswer(`no answer in ${timeoutMs / 1000} s`, false, error);
      throw new NoAnswer(explain(error), isUnsent(error), error);
    } finally {
      // An open body still needs the caller's abort, and no limit.
      if (kept) patience.pause();
      else patience.end();
    }
  }

  return {
    ask: (request, signal) =>
      exchange(
        request,
        signal,
        async (response, token) => ({
          code: response.status,
          headers: response.headers,
          text: await response.text(),
          ...token === undefined ? {} : { token },
        }),
        false,
      ),
    open: (request, signal) => exchange(request, signal, (response) => Promise.resolve(response), true),
    renew: () => discard(current),
    close: () => discard(current),
  };
}

/**
 * A body that can be read only once. Of a body that it holds whole, the platform sends the request again by itself when
 * the connection breaks before the answer: a POST would be done twice.
 */
function once(body: string): ReadableStream<Uint8Array> {
  return new Blob([body]).stream();
}

/** Sentences for what fails below HTTP; the platform's own words stay in the cause. */
const FAILURES: readonly { sign: RegExp; says: string }[] = [
  { sign: /UnknownIssuer/i, says: "its certificate is signed by a CA that is not the one configured" },
  { sign: /NotValidForName|not valid for name/i, says: "its certificate is for another host name" },
  { sign: /Expired/i, says: "its certificate has expired, or this machine's clock is wrong" },
  { sign: /dns error|failed to lookup/i, says: "its host name does not resolve (DNS)" },
  { sign: /refused/i, says: "the connection was refused; the API server is down or the address is wrong" },
];

function explain(error: unknown): string {
  const text = reasons(error);
  return FAILURES.find(({ sign }) => sign.test(text))?.says ?? `the connection broke (${reasonOf(error)})`;
}

/** The connection never stood, so nothing was sent. */
function isUnsent(error: unknown): boolean {
  return /client error \(Connect\)|connection refused/i.test(reasons(error));
}

function reasons(error: unknown): string {
  const said: string[] = [];
  for (let at = error; at instanceof Error && said.length < 8; at = at.cause) said.push(reasonOf(at));
  return said.join(" ");
}
