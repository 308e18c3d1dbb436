/** The control plane is away while scheduled runs come and go: every result is told when it is back, as it was. */
import assert from "node:assert/strict";
import { until } from "../../wait.ts";
import type { ClusterJourney, Scenario } from "../journey/journey.ts";
import { DIALECTS, type RunObject } from "../journey/objects.ts";
import { minutesBetween, verifyJourney, type Wanted } from "../journey/verify.ts";

/** The control plane is away for so many slots. */
export function away(slots: number): Scenario {
  const limitMs = (slots + 5) * 60_000;
  return { name: `the control plane is away for ${slots} scheduled runs`, body: awayFor(slots), limitMs };
}

/** What the job makes of a slot: in odd minutes it fails. */
export function byParity(slot: string): Wanted {
  return new Date(slot).getUTCMinutes() % 2 === 1 ? { state: "failed" } : { state: "success" };
}

function awayFor(count: number): Scenario["body"] {
  return async (journey: ClusterJourney) => {
    const { engine, rest, controlPlane, agentId, measured } = journey;
    await rest.put("due", { parity: "odd-fails" }, { schedule: "* * * * *" });
    const from = Date.now();
    await controlPlane.program().kill();
    const wanted = minutesBetween(from, from + count * 60_000);
    const { facts } = DIALECTS[engine];
    const ended = ({ object }: RunObject) => ["succeeded", "failed"].includes(facts(object)?.phase ?? "");
    await until(`the end of ${count} runs`, async () => {
      const { runs } = await journey.objects();
      return wanted.every((slot) => runs.some((run) => run.scheduledAt === slot && ended(run)));
    }, { patienceMs: (count + 3) * 60_000, lookMs: 1000 });
    assert.ok((await journey.objects()).runs.every(({ acknowledged }) => !acknowledged), "nobody was told yet");

    const at = performance.now();
    await controlPlane.start();
    await rest.runnerIs(agentId, "Active");
    const told = await until("every result", async () => {
      const runs = await rest.runsOf("due");
      return wanted.every((slot) => runs.some((run) => run.scheduledAt === slot && run.terminal)) && runs;
    }, { lookMs: 100 });
    measured(`${wanted.length} results ${Math.round(performance.now() - at)} ms after the control plane's start`);
    await rest.toggle("due", false);
    const details = await verifyJourney(journey, {
      runs: {},
      pipelines: { due: { scheduled: true } },
      slots: { due: byParity },
    });
    assert.ok(told.length >= wanted.length);
    const missed = details.filter(({ scheduledAt }) => wanted.includes(scheduledAt ?? ""));
    const failed = missed.filter(({ state }) => state === "failed");
    for (const { diagnostics } of failed) assert.equal(diagnostics?.exitCode, 3);
    measured(`${failed.length} of ${missed.length} failed, told as such`);
    for (const { scheduledAt = "", times: { started = "", finished = "" } } of missed) {
      // Their times are the cluster's, not those of the telling.
      const late = Date.parse(finished) - Date.parse(scheduledAt);
      assert.ok(late >= 0 && late < 60_000, `the run of ${scheduledAt} ran from ${started} to ${finished}`);
    }
  };
}
