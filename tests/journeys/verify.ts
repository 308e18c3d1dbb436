/** What every journey must have kept: states in order, one end, nothing twice, nothing lost, the log complete. */
import assert from "node:assert/strict";
import type { RunDetail } from "../../control-plane/mod/views.ts";
import { isTerminal, type RunState } from "../../mod/run.ts";
import { ledgerOf } from "./programs.ts";
import type { FollowedLog, Rest } from "./rest.ts";

/** What must be true of each run, by runId: how it ended, and how often its job really began. */
export type Expected = Record<string, { state: RunState | RunState[]; starts: number }>;

/** Checks all runs that the control plane knows against what is expected; there may be no others. */
export async function verifyRuns(rest: Rest, folder: string, expected: Expected): Promise<RunDetail[]> {
  const known = (await rest.runs()).map(({ runId }) => runId).sort();
  assert.deepEqual(known, Object.keys(expected).sort(), "the control plane knows exactly the runs of the journey");
  const starts = await ledgerOf(folder, "start");
  const details: RunDetail[] = [];
  for (const [runId, { state, starts: wanted }] of Object.entries(expected)) {
    const detail = await rest.detail(runId);
    const states = [state].flat();
    assert.ok(states.some((one) => one === detail.state), `${runId} is ${detail.state}, wanted ${states.join(" or ")}`);
    verifyTimeline(detail);
    assert.equal(starts.filter((id) => id === runId).length, wanted, `${runId} began ${wanted} times`);
    details.push(detail);
  }
  const strangers = starts.filter((id) => !Object.hasOwn(expected, id));
  assert.deepEqual(strangers, [], "no job began that nobody asked for");
  return details;
}

/** States in the order of their ranks, none told twice, the terminal one once, last and for good. */
export function verifyTimeline({ runId, state, timeline }: RunDetail): void {
  const story = `${runId}: ${timeline.map((entry) => `${entry.state}/${entry.note}`).join(" → ")}`;
  timeline.slice(1).forEach((entry, index) => {
    const before = timeline[index];
    assert.ok(before !== undefined);
    const isLater = entry.rank > before.rank || (entry.rank === before.rank && entry.note > before.note);
    assert.ok(isLater, `${story}: the order is kept`);
    assert.ok(Date.parse(entry.recordedAt) >= Date.parse(before.recordedAt), `${story}: written in this order`);
  });
  assert.equal(timeline.filter((entry) => isTerminal(entry.state)).length, 1, `${story}: one end`);
  assert.equal(timeline.at(-1)?.state, state, `${story}: the end is what is shown`);
  const { received, created, started, finished } = timeline.at(-1)?.times ?? {};
  const times = [received, created, started, finished].filter((time) => time !== undefined);
  assert.deepEqual(times.toSorted(), times, `${story}: ${times.join(" ")} rise`);
}

/** Every numbered line is there in order. After a log was opened anew, lines may be repeated, none may be missing. */
export function verifyLines(runId: string, lines: readonly string[], wanted: number, repeats = false): void {
  let next = 1;
  for (const line of lines) {
    const number = Number(/^line (\d+) of /.exec(line)?.[1]);
    if (Number.isNaN(number)) continue;
    assert.ok(line.endsWith(runId), `a line of ${runId} is its own: ${line}`);
    if (repeats && number < next) continue;
    assert.equal(number, next, `${runId}: the log goes on with line ${next}`);
    next++;
  }
  assert.equal(next - 1, wanted, `${runId}: the log has all lines`);
}

/** The followed log came to its end, complete: the local engine keeps logs whole, so there is no gap to be told. */
export async function verifyFollowed(runId: string, log: FollowedLog, wanted: number): Promise<void> {
  assert.equal(await log.end, "finished");
  assert.deepEqual(log.gaps, []);
  verifyLines(runId, log.lines, wanted, log.opened > 1);
}
