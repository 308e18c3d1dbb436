/**
 * List and watch as one sequence that nothing ends but its signal
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).
 *
 * Of each object only uid, resource version and name are kept: enough to tell after a new list what is new, changed or
 * gone, and nothing twice. Events go on from the last version that was heard of, which bookmarks keep young; when
 * the server has forgotten it (410), all is listed anew and only the difference is told.
 */
import * as z from "zod/mini";
import { createBackoff } from "../../mod/backoff.ts";
import { asFault, Fault, isFault, reasonOf } from "../../mod/fault.ts";
import type { Clock, Log } from "../../mod/ports.ts";
import { linesOf, Silence } from "./lines.ts";
import type { ClusterAccess } from "./port.ts";
import { isExpired, refused, Status } from "./status.ts";
import { ApiObject, spoken, type Target } from "./target.ts";

/** One change. `deleted` has no object where it happened while nobody looked; it may also mean "no longer selected". */
export type WatchEvent =
  | { kind: "added" | "modified"; object: ApiObject }
  | { kind: "deleted"; uid: string; name: string; object?: ApiObject }
  /** Once: all that existed was told. */
  | { kind: "listed" };

/** What to watch. */
export interface WatchOptions {
  labelSelector?: string;
  fieldSelector?: string;
  /** Only `metadata` (PartialObjectMetadata). */
  metadataOnly?: boolean;
  /** Objects on a page of the list. */
  limit?: number;
  clock: Clock;
  log: Log;
  random: { float(): number };
  /** A watch that is silent for longer is given up, milliseconds; bookmarks come about once a minute. */
  silenceMs?: number;
  /** Longest pause between tries, milliseconds. */
  capMs?: number;
  /** Told what no waiting mends, such as a right that is missing, each time it is met with; nothing once the watch holds. */
  trouble?(fault?: Fault): void;
}

const SILENCE_MS = 90_000;
const CAP_MS = 5_000;
const BASE_MS = 250;
const MOST_WAIT_MS = 30_000;
/** The server ends a watch by then, so that no connection is for ever. */
const WATCH_SECONDS = 600;
/** After so many tries in a row that failed, the version itself may be what is wrong (a restored etcd). */
const LIST_ANEW_AFTER = 6;
/** A watch that held this long was a good one, even where nothing happened. */
const GOOD_MS = 1000;

const Line = z.object({ type: z.string(), object: z.unknown() });
const Bookmark = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

/**
 * Everything that is there, `listed`, then every change. Until `listed`, what only a human can mend is thrown
 * (`denied`, `not_found`, `invalid`, `malformed`, a kind that isn't served); after it everything is tried again for
 * ever, because a server that has just started denies what it will soon allow.
 */
export async function* listAndWatch(
  access: ClusterAccess,
  target: Target,
  options: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent, void> {
  const { clock, log, random, silenceMs = SILENCE_MS, capMs = CAP_MS } = options;
  const { labelSelector, fieldSelector, metadataOnly, limit } = options;
  const select = { labelSelector, fieldSelector, metadataOnly };
  const known = new Map<string, { version: string; name: string }>();
  const newBackoff = () => createBackoff({ baseMs: BASE_MS, capMs, random });
  let backoff = newBackoff();
  let version: string | undefined;
  let listed = false;
  let failures = 0;
  let opened = false;

  for (;;) {
    signal.throwIfAborted();
    const began = clock.now();
    opened = false;
    try {
      if (version === undefined) {
        version = yield* list();
        if (!listed) yield { kind: "listed" };
        listed = true;
      }
      for await (const line of watched(version)) {
        const event = take(line);
        if (event) yield event;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!listed && isLasting(error)) throw error;
      if (isExpired(error)) version = undefined;
      if (error instanceof Silence) access.renew();
      const fault = asFault(error, `watch ${spoken(target)}`);
      log(isFault(error, "denied") ? "warn" : "info", "cluster.watch.broken", { reason: reasonOf(fault) });
      if (isLasting(fault)) options.trouble?.(fault);
      await clock.sleep(Math.min((fault.details.retryAfterSeconds ?? 0) * 1000, MOST_WAIT_MS), signal);
    }
    const good = opened && clock.now() - began >= GOOD_MS;
    if (good) backoff = newBackoff();
    failures = good ? 0 : failures + 1;
    if (failures >= LIST_ANEW_AFTER) [version, failures] = [undefined, 0];
    await clock.sleep(backoff.next(), signal);
  }

  /** Tells the difference to what is known; the version to watch from. */
  async function* list(): AsyncGenerator<WatchEvent, string> {
    const seen = new Set<string>();
    let next: string | undefined;
    for (;;) {
      const page = await access.page(target, { ...compact({ ...select, limit, continue: next }) }, signal);
      for (const object of page.items) {
        seen.add(object.metadata.uid);
        const event = changed(object);
        if (event) yield event;
      }
      next = page.continue;
      if (next !== undefined) continue;
      for (const [uid, { name }] of known) {
        if (seen.has(uid)) continue;
        known.delete(uid);
        yield { kind: "deleted", uid, name };
      }
      return page.resourceVersion;
    }
  }

  async function* watched(from: string): AsyncGenerator<string, void> {
    const query = {
      ...select,
      watch: 1,
      allowWatchBookmarks: true,
      resourceVersion: from,
      timeoutSeconds: WATCH_SECONDS,
    };
    // Its own abort: a generator that is left early must take the connection with it.
    const done = new AbortController();
    const inner = AbortSignal.any([signal, done.signal]);
    try {
      const body = await access.open("watch", target, query, inner);
      opened = true;
      options.trouble?.();
      yield* linesOf(body, silenceMs, inner);
    } finally {
      done.abort();
    }
  }

  function changed(object: ApiObject): WatchEvent | undefined {
    const { uid, resourceVersion, name } = object.metadata;
    const before = known.get(uid);
    if (before?.version === resourceVersion) return undefined;
    known.set(uid, { version: resourceVersion, name });
    return { kind: before ? "modified" : "added", object };
  }

  function take(text: string): WatchEvent | undefined {
    const line = Line.parse(JSON.parse(text));
    if (line.type === "ERROR") {
      const status = Status.parse(line.object);
      throw refused({ verb: "watch", target, code: status.code ?? 500, status });
    }
    if (line.type === "BOOKMARK") {
      version = Bookmark.parse(line.object).metadata.resourceVersion;
      return undefined;
    }
    const object = ApiObject.parse(line.object);
    // Only once it is ours to tell: nothing lies between this and the yield that could be lost.
    version = object.metadata.resourceVersion;
    if (line.type !== "DELETED") return changed(object);
    const { uid, name } = object.metadata;
    return known.delete(uid) ? { kind: "deleted", uid, name, object } : undefined;
  }
}

/** What no waiting mends. */
function isLasting(error: unknown): boolean {
  if (!(error instanceof Fault)) return false;
  if (error.details.rule === "not-served") return true;
  return ["denied", "not_found", "invalid", "malformed"].includes(error.code);
}

/** Without what is undefined. */
function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}
