/** The runner's own token: a literal, or a file that is read anew each time, since it may be rotated under us. */
import { Fault, reasonOf } from "../mod/fault.ts";
import type { Clock, TokenSource } from "../mod/ports.ts";
import { forever } from "../mod/waiting.ts";

const LOOK_MS = 2000;

/** A token that never changes. */
export function literalToken(token: string): TokenSource {
  return {
    read: () => Promise.resolve(token),
    changed: forever,
  };
}

/** A token in a file, as a mounted Secret gives it. Reading, not file events: a mount is swapped by symbolic links. */
export function fileToken(path: string, clock: Clock, lookMs = LOOK_MS): TokenSource {
  let last: string | undefined;
  return {
    async read(signal) {
      last = await readToken(path, signal);
      return last;
    },
    async changed(signal) {
      for (;;) {
        await clock.sleep(lookMs, signal);
        // A file that is absent for a moment is on its way; the next dial says so if it stays away.
        const now = await readToken(path, signal).catch(() => last);
        if (now !== last) return;
      }
    },
  };
}

async function readToken(path: string, signal: AbortSignal): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new Fault("unavailable", `Cannot read the token file ${path}: ${reasonOf(error)}`, { cause: error });
  }
  const token = text.trim();
  if (token !== "") return token;
  throw new Fault("unavailable", `Cannot read the token file ${path}: it is empty`);
}
