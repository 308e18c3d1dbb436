/**
 * The link: dials, runs a session, waits, dials again, for as long as the runner lives. Every event of the link's life
 * is named here and nowhere else.
 */
import type { Backoff } from "../backoff.ts";
import { asFault, Fault, isFault } from "../fault.ts";
import type { Channel, Clock, Connection, Log, Random, TokenSource } from "../ports.ts";
import { CLOSES } from "../protocol/closes.ts";
import type { SessionEnd, SessionSignals } from "./session.ts";

/** What the link is made of; `session` runs on each connection to its end. */
export interface LinkOptions {
  channel: Channel;
  tokens: TokenSource;
  session: (connection: Connection, signals: SessionSignals) => Promise<SessionEnd>;
  backoff: Backoff;
  clock: Clock;
  random: Random;
  log: Log;
  /** Tells why there is no link, for readiness and the log. */
  disconnected: (reason: string) => void;
}

/** What comes after an end: how long to wait, and whether a new token cuts the wait short. */
interface Pause {
  ms: number;
  untilToken: boolean;
}

const BEAT_MS = 30_000;
const NO_PAUSE: Pause = { ms: 0, untilToken: false };

/** Keeps a session open until `stopping` aborts; returns when the last one has said goodbye. */
export async function runLink(
  { channel, tokens, session, backoff, clock, random, log, disconnected }: LinkOptions,
  { stopping, hard, beat }: { stopping: AbortSignal; hard: AbortSignal; beat: () => void },
): Promise<void> {
  let due = NO_PAUSE;
  while (!stopping.aborted) {
    await wait(due);
    if (stopping.aborted) return;
    due = await once();
  }

  /** One dial and, if it succeeds, one session. */
  async function once(): Promise<Pause> {
    beat();
    const over = new AbortController();
    try {
      const connection = await channel.dial(stopping);
      const tokenChanged = tokens.changed(AbortSignal.any([over.signal, stopping]));
      // Its end by abort is of no interest; without a handler it would be an unhandled rejection.
      tokenChanged.catch(() => {});
      const quiet = new Promise<void>((resolve) => tokenChanged.then(resolve, () => {}));
      const end = await session(connection, { stopping, hard, beat, tokenChanged: quiet });
      return afterSession(end);
    } catch (error) {
      if (stopping.aborted) return NO_PAUSE;
      return afterFault(asFault(error, "open the link"));
    } finally {
      over.abort(new Fault("unavailable", "Cannot go on: the session is over"));
    }
  }

  function afterSession(end: SessionEnd): Pause {
    backoff.held(end.heldMs);
    if (stopping.aborted) return NO_PAUSE;
    const told = { code: end.code, reason: end.reason, seconds: Math.round(end.heldMs / 1000) };
    if (end.renewed) {
      log("info", "link.renewed", told);
      return NO_PAUSE;
    }
    disconnected(`${end.code} ${end.reason}`.trim());
    if (end.code === CLOSES.tokenRefused.code) {
      log("error", "link.token_refused", told);
      return { ms: backoff.atCap(), untilToken: true };
    }
    if (end.code === CLOSES.twoInstances.code) {
      log("error", "link.two_instances", told);
      return { ms: backoff.atCap(), untilToken: true };
    }
    if (end.goodbyeSeconds !== undefined) {
      log("info", "link.goodbye", told);
      return { ms: random.float() * end.goodbyeSeconds * 1000, untilToken: false };
    }
    // The other side may renew too: then the first try is at once, by the backoff, lest a server that always does it
    // make a loop of us.
    if (end.code === CLOSES.normal.code) log("info", "link.renewed", told);
    else log("warn", "link.lost", told);
    return { ms: backoff.next(), untilToken: false };
  }

  function afterFault(fault: Fault): Pause {
    disconnected(fault.message);
    if (isFault(fault, "denied") || isFault(fault, "invalid")) {
      log("error", "link.refused", { error: fault });
      return { ms: backoff.atCap(), untilToken: true };
    }
    log("warn", "link.unavailable", { error: fault });
    return { ms: backoff.next(), untilToken: false };
  }

  async function wait({ ms, untilToken }: Pause): Promise<void> {
    if (ms <= 0) return;
    log("info", "link.waiting", { seconds: Math.round(ms / 100) / 10 });
    const enough = new AbortController();
    const signal = AbortSignal.any([stopping, enough.signal]);
    const waits = [pause(ms, signal).catch(() => {})];
    if (untilToken) waits.push(tokens.changed(signal).then(() => log("info", "link.token_changed"), () => {}));
    await Promise.race(waits);
    enough.abort();
    await Promise.all(waits);
  }

  /** A long pause in short ones, each a sign of life of this loop. */
  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    for (let left = ms; left > 0; left -= BEAT_MS) {
      beat();
      await clock.sleep(Math.min(left, BEAT_MS), signal);
    }
  }
}
