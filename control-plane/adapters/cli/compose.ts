/** Puts a whole control plane together over a data folder, and takes it down again in the right order. */
import { systemClock, systemRandom } from "../../../adapters/clock.ts";
import { Fault, reasonOf } from "../../../mod/fault.ts";
import type { Log } from "../../../mod/ports.ts";
import { VERSION } from "../../../mod/version.ts";
import { type ControlPlane, createControlPlane } from "../../mod/control_plane.ts";
import { createFeed } from "../../mod/feed.ts";
import type { Storage, Tokens } from "../../mod/ports.ts";
import { startServer } from "../http/server.ts";
import { openStorage } from "../sqlite/storage.ts";
import { createTokens } from "../tokens/jwt.ts";
import { openKeys } from "../tokens/keys.ts";

/** Where and how a control plane is to run. */
export interface ControlPlaneOptions {
  /** The data folder; it must exist. */
  data: string;
  hostname: string;
  port: number;
  heartbeatSeconds: number;
  /** Default 10. */
  helloSeconds?: number;
  openOnLoopback: boolean;
  tls?: { cert: string; key: string };
  log: Log;
}

/** A control plane that listens. */
export interface RunningControlPlane {
  hostname: string;
  port: number;
  plane: ControlPlane;
  storage: Storage;
  tokens: Tokens;
  /** Says goodbye to the runners, ends what is in hand, closes the database. */
  stop(): Promise<void>;
}

const HELLO_SECONDS = 10;

/** The database's file in a data folder. */
export function databaseOf(data: string): string {
  return `${data}/control-plane.db`;
}

/** The tokens port over a data folder's keys. */
export function tokensOf(data: string): Tokens {
  return createTokens(openKeys(`${data}/keys`, systemClock.now), systemClock.now);
}

/** Starts everything. Faults: those of the lock, the database, the keys and the port. */
export function startControlPlane(options: ControlPlaneOptions): RunningControlPlane {
  const { data, log, heartbeatSeconds } = options;
  const lock = takeLock(data);
  const stopping = new AbortController();
  let storage: Storage | undefined;
  try {
    storage = openStorage(databaseOf(data), { log });
    const open = storage;
    const tokens = tokensOf(data);
    const plane = createControlPlane({
      storage,
      clock: systemClock,
      random: systemRandom,
      log,
      feed: createFeed(),
      version: VERSION,
      heartbeatSeconds,
      helloSeconds: options.helloSeconds ?? HELLO_SECONDS,
      signal: stopping.signal,
    });
    const server = startServer({ ...options, plane, storage, tokens, now: systemClock.now });
    const watching = plane.watch(stopping.signal);
    return {
      hostname: server.hostname,
      port: server.port,
      plane,
      storage,
      tokens,
      async stop() {
        await plane.goodbye();
        await server.stop();
        stopping.abort(new Fault("unavailable", "Cannot go on: the control plane stops"));
        await watching;
        await open.close();
        lock.close();
      },
    };
  } catch (error) {
    void storage?.close();
    lock.close();
    throw error;
  }
}

/** One process at a time serves a data folder, or replaces its database. Faults: `unavailable`, `not_found`. */
export function takeLock(data: string): { close(): void } {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(`${data}/lock`, { write: true, create: true, mode: 0o600 });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Fault(
        "not_found",
        `Cannot use the data folder ${data}: it does not exist; create it, or name another`,
        {
          cause: error,
        },
      );
    }
    throw new Fault("denied", `Cannot use the data folder ${data}: ${reasonOf(error)}`, { cause: error });
  }
  if (!file.tryLockSync(true)) {
    file.close();
    throw new Fault("unavailable", `Cannot use the data folder ${data}: another control plane is running on it`);
  }
  return file;
}
