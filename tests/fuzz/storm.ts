/** The storm: frames by the thousand, from a seed that is always told. */
import * as fc from "fast-check";
import { createAssault, type Target, Wrong } from "./assault.ts";
import type { Sent } from "./frames.ts";
import { noTally, shown, type Tally } from "./telling.ts";

export interface StormOptions {
  seed: number;
  frames: number;
  /** Aborts when the program has ended, which it must not. */
  dead: AbortSignal;
}

/** Frames that are generated with one seed (the storm's and the number of the batch), and that are under way at once. */
const BATCH = 128;
/** Sends them all. Fails with the frame, its shrunk form, and what is needed to send it again. */
export async function storm(target: Target, { seed, frames, dead }: StormOptions): Promise<Tally> {
  const tally = noTally();
  const ended = aborted(dead);
  ended.catch(() => {});
  const assault = createAssault(target, tally);
  const generate = (batch: number) =>
    fc.sample(target.frames, { seed: seed + batch, numRuns: Math.min(BATCH, frames - batch * BATCH) });
  let next = generate(0);
  for (let batch = 0; next.length > 0; batch++) {
    try {
      const sent = assault.send(next);
      sent.catch(() => {});
      // While the program is at work.
      next = (batch + 1) * BATCH < frames ? generate(batch + 1) : [];
      await Promise.race([sent, ended]);
    } catch (error) {
      if (!(error instanceof Wrong) || dead.aborted) throw new Error(story(seed, tally, error), { cause: error });
      const shrunk = await shrink(target, seed + batch, error.at);
      throw new Error(`${story(seed, tally, error)}\nframe ${shown(error.frame)}\nshrunk ${shrunk}`, { cause: error });
    }
  }
  await Promise.race([assault.end(), ended]);
  return tally;
}

function story(seed: number, { frames, sessions }: Tally, error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return `${reason}\nFUZZ_SEED=${seed}, after ${frames} frames in ${sessions} sessions`;
}

/** One frame at a time, each in a session of its own, from the one that failed to the smallest that does. */
async function shrink(target: Target, seed: number, at: number): Promise<string> {
  const alone = async (frame: Sent) => {
    const one = createAssault(target, noTally());
    await one.send([frame]);
    await one.end();
  };
  const property = fc.asyncProperty(target.frames, alone);
  const found = await fc.check(property, { seed, path: String(at), numRuns: at + 1, interruptAfterTimeLimit: 20_000 });
  return found.counterexample ? shown(found.counterexample[0]) : "nothing: alone it is treated as prescribed";
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** How to send the same again. It stands in the test's name, so that one that hangs or is killed tells it too. */
export function told({ seed, frames }: { seed: number; frames: number }): string {
  return `FUZZ_SEED=${seed} FUZZ_FRAMES=${frames}`;
}

/** What FUZZ_SEED and FUZZ_FRAMES say, or a seed of chance and 100,000. */
export function stormSettings(): { seed: number; frames: number } {
  const number = (name: string, otherwise: number) => Number(Deno.env.get(name) || otherwise);
  return { seed: number("FUZZ_SEED", Math.floor(Math.random() * 2 ** 30)), frames: number("FUZZ_FRAMES", 100_000) };
}
