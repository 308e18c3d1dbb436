/** Who is here: one active session per agentId, any number of standbys, and who was refused. Nothing of it is stored. */
import { Fault } from "../../mod/fault.ts";
import type { Clock, Connection } from "../../mod/ports.ts";
import { CLOSES } from "../../mod/protocol/closes.ts";
import type { Params, ToControlPlane, ToRunner } from "../../mod/protocol/methods.ts";
import type { Peer } from "../../mod/protocol/peer.ts";
import type { Claims } from "./ports.ts";
import type { Presence } from "./projections.ts";

/** One connection after its hello. */
export interface Session {
  sessionId: string;
  agentId: string;
  hello: Params<ToControlPlane, "runner.hello">;
  claims: Claims;
  peer: Peer<ToRunner>;
  connection: Connection;
  connectedAt: string;
}

/** The live sessions by agentId. */
export interface Runners {
  /**
   * Lets a session in, or takes its new role. Answers the role that it really has: an instance with an older epoch
   * is a standby, whatever it believes. Faults: `conflict` for a second live instance.
   */
  admit(session: Session): "active" | "standby";
  /** The session is over. True if it was the active one. */
  leave(session: Session): boolean;
  active(agentId: string): Session | undefined;
  /** Waits for an active session. */
  awaitActive(agentId: string, signal: AbortSignal): Promise<Session>;
  isActive(session: Session): boolean;
  presence(agentId: string): Presence;
  sessions(): Iterable<Session>;
}

interface Present {
  active?: Session;
  standbys: Set<Session>;
  refused?: { instanceId: string; at: number };
  waiting: Set<(session: Session) => void>;
}

/** A refused instance is shown for as long as its retries, at most a minute apart, may still come. */
const REFUSED_SHOWN_MS = 120_000;

/** Makes the empty list. `demoted` is called when an active session becomes a standby by another's newer epoch. */
export function createRunners(
  { clock, silenceMs, demoted }: { clock: Clock; silenceMs: number; demoted: (session: Session) => void },
): Runners {
  const present = new Map<string, Present>();

  return {
    admit,
    leave,
    active: (agentId) => present.get(agentId)?.active,
    awaitActive,
    isActive: (session) => present.get(session.agentId)?.active === session,
    presence,
    *sessions() {
      for (const { active, standbys } of present.values()) {
        if (active !== undefined) yield active;
        yield* standbys;
      }
    },
  };

  function of(agentId: string): Present {
    let entry = present.get(agentId);
    if (entry === undefined) present.set(agentId, entry = { standbys: new Set(), waiting: new Set() });
    return entry;
  }

  function admit(session: Session): "active" | "standby" {
    const entry = of(session.agentId);
    const { instanceId, epoch, role } = session.hello;
    // The same process on a new connection: whatever it had before is dead.
    for (const old of [entry.active, ...entry.standbys]) {
      if (old !== undefined && old !== session && old.hello.instanceId === instanceId) {
        replace(entry, old, "the instance has a newer connection");
      }
    }
    entry.standbys.delete(session);
    const rival = entry.active === session ? undefined : entry.active;
    if (role === "standby") {
      if (entry.active === session) delete entry.active;
      entry.standbys.add(session);
      return "standby";
    }
    if (rival !== undefined) {
      if (epoch < rival.hello.epoch) {
        entry.standbys.add(session);
        return "standby";
      }
      if (epoch > rival.hello.epoch) {
        entry.standbys.add(rival);
        demoted(rival);
      } else if (clock.now() - rival.peer.heardAt() > silenceMs) {
        replace(entry, rival, "nothing was heard of it, and another instance came");
      } else {
        entry.refused = { instanceId, at: clock.now() };
        throw new Fault(
          "conflict",
          `Cannot let the instance ${instanceId} in: ${rival.hello.instanceId} with the same agentId is live`,
        );
      }
    }
    entry.active = session;
    for (const tell of entry.waiting) tell(session);
    entry.waiting.clear();
    return "active";
  }

  function replace(entry: Present, old: Session, why: string): void {
    if (entry.active === old) delete entry.active;
    entry.standbys.delete(old);
    old.connection.abandon(why);
  }

  function leave(session: Session): boolean {
    const entry = present.get(session.agentId);
    if (entry === undefined) return false;
    entry.standbys.delete(session);
    if (entry.active !== session) return false;
    delete entry.active;
    return true;
  }

  function awaitActive(agentId: string, signal: AbortSignal): Promise<Session> {
    const entry = of(agentId);
    if (entry.active !== undefined) return Promise.resolve(entry.active);
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const aborted = () => {
        entry.waiting.delete(tell);
        reject(signal.reason);
      };
      const tell = (session: Session) => {
        signal.removeEventListener("abort", aborted);
        resolve(session);
      };
      entry.waiting.add(tell);
      signal.addEventListener("abort", aborted, { once: true });
    });
  }

  function presence(agentId: string): Presence {
    const entry = present.get(agentId);
    const refused = entry?.refused;
    const isRecent = refused !== undefined && clock.now() - refused.at < REFUSED_SHOWN_MS;
    return {
      ...entry?.active === undefined ? {} : {
        active: { instanceId: entry.active.hello.instanceId, connectedAt: entry.active.connectedAt },
      },
      standbys: entry?.standbys.size ?? 0,
      ...isRecent ? { refused: refused.instanceId } : {},
    };
  }
}

/** The sentence for a link's end, as the list of runners shows it. */
export function endingOf(code: number, reason: string): string {
  const known = Object.values(CLOSES).find((close) => close.code === code);
  if (code === CLOSES.goingAway.code) return "The runner was stopped";
  if (code === CLOSES.normal.code) return "The runner closed the connection to renew it, and has not come back yet";
  if (known === undefined) {
    return reason === "" ? `The connection was lost (code ${code})` : `The connection was lost: ${reason}`;
  }
  return `The connection was closed: ${known.meaning}${
    reason === "" || reason === known.meaning ? "" : ` (${reason})`
  }`;
}
