/** The heartbeat of a session: how the runner is, how the two clocks differ, and whether the link is alive at all. */
import type { Clock, Connection, Log } from "../ports.ts";
import type { Outbox } from "./outbox.ts";
import type { ServerPeer } from "./snapshots.ts";

/** What a heartbeat tells of, and whom it tells. */
export interface HeartbeatOptions {
  clock: Clock;
  log: Log;
  outbox: Outbox;
  maxRuns?: number;
  /** Takes in the control plane's clock less ours, milliseconds. */
  serverOffset: (ms: number) => void;
  /** A sign of life of the link's loop. */
  alive: () => void;
}

/** The link is looked at more often than it beats, so that a dead one is noticed soon after the second interval. */
const LOOKS_PER_BEAT = 4;

/**
 * Beats until the session is over. Two intervals without a sign of life mean that the link is dead, however healthy
 * the socket looks: a half-open link is never reported by the platform.
 */
export async function heartbeat(
  peer: ServerPeer,
  connection: Connection,
  everyMs: number,
  { clock, log, outbox, maxRuns, serverOffset, alive }: HeartbeatOptions,
  signal: AbortSignal,
): Promise<void> {
  const beat = () => {
    const asked = clock.now();
    const inFlight = outbox.live().length;
    const params = {
      inFlight,
      ...maxRuns === undefined ? {} : { free: Math.max(0, maxRuns - inFlight) },
      oldestUnacknowledgedSeconds: outbox.oldestSeconds(),
      clock: new Date(asked).toISOString(),
    };
    peer.request("runner.heartbeat", params, { signal, timeoutMs: everyMs * 2 }).then(
      (answer) => serverOffset(Date.parse(answer.clock) - (asked + clock.now()) / 2),
      (error) => signal.aborted || log("debug", "heartbeat.unanswered", { error }),
    );
  };
  // Silence is counted in looks, not by the clock: a clock that is set back would hide a dead link.
  let heard = peer.heardAt(), buffered = connection.buffered, silentLooks = 0;
  for (let look = 0;; look++) {
    if (look % LOOKS_PER_BEAT === 0) beat();
    await clock.sleep(everyMs / LOOKS_PER_BEAT, signal);
    alive();
    // A send buffer that shrinks is a sign of life too: a slow link is not a dead one.
    const isAlive = connection.buffered < buffered || peer.heardAt() !== heard;
    silentLooks = isAlive ? 0 : silentLooks + 1;
    heard = peer.heardAt();
    buffered = connection.buffered;
    if (silentLooks <= 2 * LOOKS_PER_BEAT) continue;
    return connection.abandon(`no sign of life for two heartbeats (${Math.round(2 * everyMs / 1000)} s)`);
  }
}
