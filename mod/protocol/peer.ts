/**
 * One JSON-RPC peer; both ends of the protocol are made of it. It turns a connection into typed requests and answers:
 * what comes in is checked against the method table, each handler runs on its own, and one that is slow or fails
 * never holds up another.
 */
import { asFault, Fault, isFault } from "../fault.ts";
import type { Clock, Closed, Connection, Log } from "../ports.ts";
import { createBulkTurns } from "./bulk.ts";
import { check } from "./check.ts";
import { CLOSES } from "./closes.ts";
import {
  errorFrame,
  errorToFault,
  faultToError,
  type Frame,
  METHOD_NOT_FOUND,
  readFrame,
  requestFrame,
  type RequestId,
  resultFrame,
} from "./frame.ts";
import type { Methods, Params, Result } from "./methods.ts";

/** One function per method that this end answers. Called in the order of the frames. */
export type Handlers<In extends Methods> = {
  [K in keyof In]: (params: Params<In, K>, context: HandlerContext) => Promise<Result<In, K>>;
};

/** What a handler is told beside its parameters. */
export interface HandlerContext {
  /** Aborts when the program stops; not when the link is lost, for what is in hand is finished. */
  signal: AbortSignal;
  /** When the frame arrived, milliseconds since the epoch. */
  receivedAt: number;
}

/** What a peer is made of. */
export interface PeerOptions<In extends Methods, Out extends Methods> {
  connection: Connection;
  incoming: In;
  outgoing: Out;
  handlers: Handlers<In>;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  /** The largest frame that this end takes, in UTF-8 bytes. */
  frameBytes: number;
  /** Stands around every handler: to count what is in hand, or to refuse it. */
  around?: <T>(method: string, work: () => Promise<T>) => Promise<T>;
  /** Requests of the other side that may be in hand at once; one more is answered `busy`. */
  maxInHand?: number;
}

/** How long a request may wait, and behind what. */
export interface RequestOptions {
  signal: AbortSignal;
  /** Without an answer by then: `unavailable`. Default 30,000; Infinity where the answer is a reader's credit. */
  timeoutMs?: number;
  /** Waits until what is under way has drained, so that statuses, answers and heartbeats go first. */
  bulk?: boolean;
}

/** One end of an open connection. */
export interface Peer<Out extends Methods> {
  /** Faults: whatever the other side answered, `unavailable` if the link is lost or there is no answer in time. */
  request<K extends keyof Out & string>(
    method: K,
    params: Params<Out, K>,
    options: RequestOptions,
  ): Promise<Result<Out, K>>;
  /** Reads frames until the link is closed. Call it once. */
  run(): Promise<Closed>;
  /** When the last frame came, milliseconds since the epoch. */
  heardAt(): number;
  /** The other side's frame limit, once it is known from hello. */
  limitFrames(bytes: number): void;
  /** Requests that wait for their answer. */
  waiting(): number;
}

/** Malformed frames that a connection may bring before it is closed with 4407. */
const MALFORMED_BUDGET = 100;
/** Why a request's timer is ended; one for all, since an abort without a reason makes an exception with its stack. */
const SETTLED = new Fault("unavailable", "Cannot time out: the answer is there");

interface Waiting {
  method: string;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Makes a peer over an open connection; nothing happens before `run`. */
export function createPeer<In extends Methods, Out extends Methods>(options: PeerOptions<In, Out>): Peer<Out> {
  const { connection, incoming, outgoing, clock, log, signal } = options;
  const around = options.around ?? ((_method, work) => work());
  const maxInHand = options.maxInHand ?? 512;
  const waiting = new Map<RequestId, Waiting>();
  const ended = new AbortController();
  let nextId = 1, inHand = 0, malformed = 0, heardAt = clock.now();
  let theirFrameBytes = 64 * 1024;
  const bulkTurn = createBulkTurns({ connection, clock, ended: ended.signal });

  return {
    request,
    run,
    heardAt: () => heardAt,
    limitFrames: (bytes) => (theirFrameBytes = bytes),
    waiting: () => waiting.size,
  };

  async function run(): Promise<Closed> {
    try {
      for await (const text of connection.frames) {
        heardAt = clock.now();
        if (isLongerThan(text, options.frameBytes)) {
          connection.close(CLOSES.tooLarge.code, `a frame is larger than ${options.frameBytes} bytes`);
          break;
        }
        take(readFrame(text));
        if (malformed > MALFORMED_BUDGET) {
          connection.close(CLOSES.malformed.code, "too many malformed frames");
          break;
        }
      }
      return await connection.closed;
    } finally {
      const lost = new Fault("unavailable", "Cannot get an answer: the link was lost");
      ended.abort(lost);
      for (const entry of waiting.values()) entry.reject(lost);
      waiting.clear();
    }
  }

  function take(frame: Frame): void {
    switch (frame.kind) {
      case "request":
        return void answer(frame.id, frame.method, frame.params);
      case "result":
        return settle(frame.id, (entry) => entry.resolve(frame.result));
      case "error":
        // An error with id null answers a frame of ours that could not be read: nobody waits for it.
        if (frame.id === null) return log("warn", "peer.refused_frame", { reason: frame.error.message });
        return settle(frame.id, (entry) => entry.reject(errorToFault(frame.error)));
      case "malformed":
        malformed++;
        log("warn", "peer.malformed_frame", { reason: frame.message });
        return reply(errorFrame(frame.id, { code: frame.code, message: frame.message }));
      case "broken-response":
        malformed++;
        return log("warn", "peer.malformed_frame", { reason: frame.message });
    }
  }

  function settle(id: RequestId, how: (entry: Waiting) => void): void {
    const entry = waiting.get(id);
    // Late answers (after a timeout) and invented ids have nobody waiting.
    if (entry === undefined) return log("debug", "peer.unexpected_answer");
    waiting.delete(id);
    how(entry);
  }

  async function answer(id: RequestId | undefined, method: string, params: unknown): Promise<void> {
    const frame = await outcome(id ?? null, method, params);
    // A notification (no id) is carried out and never answered, not even with an error.
    if (id !== undefined) reply(frame);
  }

  async function outcome(id: RequestId, method: string, params: unknown): Promise<string> {
    const entry = Object.hasOwn(incoming, method) ? incoming[method] : undefined;
    if (entry === undefined) {
      return errorFrame(id, { code: METHOD_NOT_FOUND, message: `Cannot call ${shown(method)}: method not found` });
    }
    const checked = check(entry.params, params);
    if (!checked.ok) {
      const { path, text } = checked;
      return errorFrame(id, faultToError(new Fault("invalid", `Cannot take ${method}: ${text}`, { path })));
    }
    if (inHand >= maxInHand) {
      const busy = new Fault("busy", `Cannot take ${method}: ${maxInHand} requests are in hand`, {
        retryAfterSeconds: 1,
      });
      return errorFrame(id, faultToError(busy));
    }
    inHand++;
    try {
      const handler = options.handlers[method];
      if (handler === undefined) throw new Fault("internal", `Cannot take ${method}: it has no handler`);
      // The table proves that these parameters are this method's; the compiler cannot follow a dynamic key.
      const context = { signal, receivedAt: heardAt };
      const result = await around(method, async () => await handler(checked.data as never, context));
      const frame = resultFrame(id, result);
      if (!isLongerThan(frame, theirFrameBytes)) return frame;
      throw new Fault("unavailable", `Cannot answer ${method}: the answer is larger than the peer's frame limit`);
    } catch (error) {
      const fault = asFault(error, `carry out ${method}`);
      if (fault.code === "internal") log("error", "peer.handler_failed", { method, error });
      return errorFrame(id, faultToError(fault));
    } finally {
      inHand--;
    }
  }

  function reply(frame: string): void {
    try {
      connection.send(frame);
    } catch (error) {
      // The link is gone; the other side asks again on the next one. Anything else is ours to know.
      if (!isFault(error, "unavailable")) log("error", "peer.reply_failed", { error });
    }
  }

  async function request<K extends keyof Out & string>(
    method: K,
    params: Params<Out, K>,
    { signal, timeoutMs = 30_000, bulk = false }: RequestOptions,
  ): Promise<Result<Out, K>> {
    signal.throwIfAborted();
    ended.signal.throwIfAborted();
    const id = nextId++;
    const frame = requestFrame(id, method, params);
    if (isLongerThan(frame, theirFrameBytes)) {
      throw new Fault(
        "invalid",
        `Cannot send ${method}: it is larger than the peer's limit of ${theirFrameBytes} bytes`,
      );
    }
    const release = bulk ? await bulkTurn(signal) : undefined;
    const answer = sendAndWait(id, method, frame, signal, timeoutMs);
    release?.();
    // Not awaited here: a request that waits for long, as for a reader's credit, must not hold what it has sent.
    return checked(method, answer);
  }

  function sendAndWait(
    id: number,
    method: string,
    frame: string,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const settled = new AbortController();
    const done = (how: () => void) => {
      waiting.delete(id);
      settled.abort(SETTLED);
      signal.removeEventListener("abort", aborted);
      how();
    };
    const aborted = () => done(() => reject(signal.reason));
    waiting.set(id, {
      method,
      resolve: (value) => done(() => resolve(value)),
      reject: (error) => done(() => reject(error)),
    });
    signal.addEventListener("abort", aborted, { once: true });
    if (timeoutMs !== Infinity) {
      clock.sleep(timeoutMs, settled.signal).then(
        () =>
          done(() => reject(new Fault("unavailable", `Cannot get an answer to ${method}: none in ${timeoutMs} ms`))),
        () => {},
      );
    }
    try {
      connection.send(frame);
    } catch (error) {
      done(() => reject(error));
    }
    return promise;
  }

  async function checked<K extends keyof Out & string>(method: K, answer: Promise<unknown>): Promise<Result<Out, K>> {
    const entry = outgoing[method];
    if (entry === undefined) throw new Fault("internal", `Cannot use the answer to ${method}: it is no method`);
    const result = check(entry.result, await answer);
    if (result.ok) return result.data as Result<Out, K>;
    throw new Fault("malformed", `Cannot use the answer to ${method}: ${result.text}`);
  }
}

function shown(method: string): string {
  return JSON.stringify(method.length > 64 ? `${method.slice(0, 64)}…` : method);
}

/** UTF-8 length against a limit, without encoding where the answer is plain from the number of UTF-16 units. */
function isLongerThan(text: string, bytes: number): boolean {
  if (text.length > bytes) return true;
  if (text.length * 3 <= bytes) return false;
  return new TextEncoder().encode(text).byteLength > bytes;
}
