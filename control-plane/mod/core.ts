/** What every part of the control plane's core is given. */
import type { Clock, Log, Random } from "../../mod/ports.ts";
import type { Feed } from "./feed.ts";
import type { Storage, Transaction } from "./ports.ts";

/** The ports and settings that all parts share. */
export interface Core {
  storage: Storage;
  clock: Clock;
  random: Random;
  log: Log;
  feed: Feed;
  /** Told in hello's answer. */
  version: string;
  heartbeatSeconds: number;
  /** How long a connection may be without its hello. */
  helloSeconds: number;
  /** Aborts when the program stops. */
  signal: AbortSignal;
}

/** What is written together with a change, in its transaction: both are there, or neither. */
export type Also<T> = (tx: Transaction, result: T) => Promise<void>;

/** The clock's time as RFC 3339. */
export function instant(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
