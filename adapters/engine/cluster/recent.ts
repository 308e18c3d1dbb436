/** The last so many of a kind: enough to know again what comes late, and never more. */

/** A set that forgets its oldest members. */
export interface Recent {
  /** Takes it in. */
  add(id: string): void;
  /** Whether it was taken in not long ago. */
  has(id: string): boolean;
}

/** Keeps at most so many. */
export function createRecent(most = 10_000): Recent {
  const ids = new Set<string>();
  return {
    add(id) {
      ids.add(id);
      const [oldest] = ids;
      if (ids.size > most && oldest !== undefined) ids.delete(oldest);
    },
    has: (id) => ids.has(id),
  };
}
