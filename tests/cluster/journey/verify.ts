/** What every journey must have kept: one object per run, states in order, one end for good, nothing that is nobody's. */
import assert from "node:assert/strict";
import { marksOf } from "../../../adapters/engine/cluster/marks.ts";
import type { RunDetail } from "../../../control-plane/mod/views.ts";
import type { RunState } from "../../../mod/run.ts";
import { verifyTimeline } from "../../journeys/verify.ts";
import { until } from "../../wait.ts";
import type { ClusterJourney } from "./journey.ts";
import { type Objects, ownersOf, type RunObject } from "./objects.ts";

/** What must be true of a run in the end. */
export interface Wanted {
  state: RunState;
  /** The reason's code. */
  reason?: string;
  /** How many pods it may have had; one where not said. */
  pods?: readonly number[];
}

/** What must be true of all that is there. */
export interface Expected {
  /** The commanded runs, by runId. */
  runs: Record<string, Wanted>;
  /** Pipelines that are deployed, and whether each has a schedule. */
  pipelines: Record<string, { scheduled?: boolean }>;
  /** Pipelines whose scheduled runs there may be, and how each slot must have ended. */
  slots?: Record<string, (slot: string) => Wanted>;
  /** Runs whose object is gone by right. */
  gone?: readonly string[];
}

/** Waits until every run has ended and its end is acknowledged, then holds all against what is expected. */
export async function verifyJourney(journey: ClusterJourney, expected: Expected): Promise<RunDetail[]> {
  const { rest } = journey;
  await until("the end of all runs, acknowledged", async () => {
    const { runs } = await journey.objects();
    return runs.every(({ acknowledged }) => acknowledged) && (await rest.runs()).every(({ terminal }) => terminal);
  }, { patienceMs: 150_000, lookMs: 500 });

  const objects = await journey.objects();
  const told = await rest.runs();
  const gone = new Set(expected.gone);
  const ids = objects.runs.map(({ runId }) => runId).sort();
  assert.deepEqual(ids, [...new Set(ids)], "one object per run");
  const known = told.map(({ runId }) => runId).filter((runId) => !gone.has(runId)).sort();
  assert.deepEqual(known, ids, "the control plane knows exactly the runs that exist");

  const details: RunDetail[] = [];
  for (const { runId, origin, pipelineId, scheduledAt } of told) {
    const detail = await rest.detail(runId);
    const wanted = origin === "schedule"
      ? expected.slots?.[pipelineId]?.(scheduledAt ?? assert.fail(`${runId} has no slot`))
      : expected.runs[runId];
    assert.ok(wanted, `${runId} of ${pipelineId} (${origin}) was not expected`);
    verifyTimeline(detail);
    const about = `${runId} of ${pipelineId}: ${JSON.stringify(detail.reason)}`;
    assert.equal(detail.state, wanted.state, about);
    if (wanted.reason !== undefined) assert.equal(detail.reason?.code, wanted.reason, about);
    const object = objects.runs.find((each) => each.runId === runId);
    const { pods = [1] } = wanted;
    if (object) assert.ok(pods.includes(object.pods.length), `${object.pods.length} pods of ${about}`);
    details.push(detail);
  }
  for (const runId of Object.keys(expected.runs)) {
    assert.ok(told.some((run) => run.runId === runId), `the control plane knows ${runId}`);
  }
  verifySlots(objects.runs);
  // The cluster's garbage collector has its own pace: what was deleted may still have a pod that is ending.
  await until("an owner of everything, or its end", async () => {
    verifyBelongings(await journey.objects(), expected);
    return true;
  }, { patienceMs: 90_000, lookMs: 500 });
  return details;
}

/** No slot of a pipeline has two runs, on whichever engine. */
export function verifySlots(runs: readonly RunObject[]): void {
  const slots = runs.filter(({ scheduledAt }) => scheduledAt !== undefined)
    .map(({ pipelineId, scheduledAt }) => `${pipelineId} ${scheduledAt}`).sort();
  assert.deepEqual(slots, [...new Set(slots)], "no slot ran twice");
}

/** Everything that exists belongs to a deployed pipeline or to a run. */
export function verifyBelongings({ runs, schedules, revisions, secrets, pods }: Objects, expected: Expected): void {
  const living = new Set([...runs.map(({ object }) => object), ...revisions].map(({ metadata }) => metadata.uid));
  const strays = [...secrets, ...pods].filter((object) => !ownersOf(object).some((uid) => living.has(uid)));
  assert.deepEqual(strays.map(({ metadata }) => metadata.name), [], "Secrets and pods have an owner that exists");
  const pipelines = new Set(Object.keys(expected.pipelines));
  const deployed = revisions.map(({ metadata }) => metadata.annotations?.["hybrid-runner.dev/pipeline-id"] ?? "none");
  assert.deepEqual([...new Set(deployed)].sort(), [...pipelines].sort(), "revisions are those of what is deployed");
  for (const pipelineId of pipelines) {
    const count = deployed.filter((each) => each === pipelineId).length;
    assert.ok(count <= 2, `${count} revisions of ${pipelineId}`);
  }
  // One document per revision, one per run that brought its own.
  const owners = secrets.flatMap(ownersOf);
  assert.deepEqual(owners.toSorted(), [...new Set(owners)].sort(), "one Secret per owner");
  for (const { metadata } of revisions) assert.ok(owners.includes(metadata.uid), `${metadata.name} has its Secret`);
  const scheduled = schedules.map((object) => marksOf(object)?.pipelineId ?? "none").sort();
  const wanted = Object.entries(expected.pipelines).filter(([, { scheduled }]) => scheduled).map(([id]) => id).sort();
  assert.deepEqual(scheduled, wanted, "schedules are those of what is deployed");
}

/** The slots of a schedule of every minute that lie wholly between two moments, as the cluster writes them. */
export function minutesBetween(from: number, to: number): string[] {
  const slots: string[] = [];
  for (let slot = Math.floor(from / 60_000) * 60_000 + 60_000; slot <= to; slot += 60_000) {
    slots.push(new Date(slot).toISOString());
  }
  return slots;
}
