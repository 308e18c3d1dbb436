/** Operators' streams that are open now: each ends when the token that it was opened with is revoked or expires. */
import type { Claims } from "./ports.ts";

/** Who is reading. */
export interface Visitors {
  /**
   * A stream begins. The controller is aborted by us when the token is no longer good; whoever ends the stream aborts
   * it too, and is then forgotten. Without claims nobody had to sign in.
   */
  enter(claims: Claims | undefined): AbortController;
  /** Ends the streams of these tokens. */
  refuse(revoked: ReadonlySet<string>): void;
  /** Ends the streams of tokens that have expired by now. */
  expire(now: number): void;
}

/** Nobody is here yet. */
export function createVisitors(): Visitors {
  const inside = new Map<AbortController, Claims>();
  return {
    enter(claims) {
      const gone = new AbortController();
      if (claims === undefined) return gone;
      inside.set(gone, claims);
      gone.signal.addEventListener("abort", () => inside.delete(gone), { once: true });
      return gone;
    },
    refuse: (revoked) => end((claims) => revoked.has(claims.jti), "the token was revoked"),
    expire: (now) => end((claims) => claims.expiresAt <= now, "the token has expired"),
  };

  function end(which: (claims: Claims) => boolean, why: string): void {
    for (const [gone, claims] of inside) if (which(claims)) gone.abort(new Error(why));
  }
}
