/** The journeys' own checks can fail: each sabotage is found by the check that is meant for it. */
import assert from "node:assert/strict";
import type { ApiObject } from "../../../adapters/cluster/target.ts";
import { pipelineLabels } from "../../../adapters/engine/cluster/marks.ts";
import type { Objects } from "./objects.ts";
import { minutesBetween, verifyBelongings, verifySlots } from "./verify.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function object(name: string, owners: string[] = [], annotations: Record<string, string> = {}): ApiObject {
  const ownerReferences = owners.map((uid) => ({ uid }));
  const labels = pipelineLabels("agent", "p");
  return { metadata: { name, uid: `uid of ${name}`, resourceVersion: "1", labels, annotations, ownerReferences } };
}

const marks = { "hybrid-runner.dev/pipeline-id": "p" };

/** What a sound cluster has: one deployed revision with its Secret, one scheduled run with its pod. */
function sound(): Objects {
  const run = object("run", [], marks), pod = object("pod", ["uid of run"]);
  const common = { engine: "argo", pipelineId: "p", revision: 1, acknowledged: true } as const;
  return {
    runs: [{ ...common, runId: "run", scheduledAt: "2026-01-01T00:00:00.000Z", object: run, pods: [pod] }],
    schedules: [],
    revisions: [object("p-r1", [], marks)],
    secrets: [object("p-r1-document", ["uid of p-r1"])],
    pods: [pod],
  };
}

const SABOTAGES: Record<string, [sabotage: (objects: Objects) => void, found: RegExp]> = {
  "a Secret is nobody's": [({ secrets }) => secrets.push(object("lost", ["uid of nothing"])), /have an owner/],
  "a Secret has no owner": [({ secrets }) => secrets.push(object("lost")), /have an owner/],
  "a pod outlives its run": [({ pods }) => pods.push(object("lost", ["uid of another run"])), /have an owner/],
  "a document was written twice": [
    ({ secrets }) => secrets.push(object("again", ["uid of p-r1"])),
    /one Secret per owner/,
  ],
  "a revision has no document": [({ secrets }) => void secrets.pop(), /has its Secret/],
  "a revision of what was deleted stays": [
    ({ revisions, secrets }) => {
      revisions.push(object("q-r1", [], { "hybrid-runner.dev/pipeline-id": "q" }));
      secrets.push(object("q-r1-document", ["uid of q-r1"]));
    },
    /revisions are those/,
  ],
  "old revisions stay": [
    ({ revisions }) => revisions.push(object("p-r2", [], marks), object("p-r3", [], marks)),
    /3 revisions of p/,
  ],
  "a schedule stays": [
    ({ schedules }) => schedules.push({ ...object("cron", [], marks), engine: "argo" }),
    /schedules are those/,
  ],
  "a slot ran on both engines": [
    ({ runs }) => runs.push(...runs.map((run) => ({ ...run, engine: "kubernetes" as const, runId: "other" }))),
    /no slot ran twice/,
  ],
};

const verify = (objects: Objects) => {
  verifySlots(objects.runs);
  verifyBelongings(objects, { runs: {}, pipelines: { p: {} } });
};

Deno.test({ name: "cluster/journey: what is sound passes", ...safe }, () => verify(sound()));

for (const [name, [sabotage, found]] of Object.entries(SABOTAGES)) {
  Deno.test({ name: `cluster/journey: teeth: ${name}`, ...safe }, () => {
    const objects = sound();
    sabotage(objects);
    assert.throws(() => verify(objects), found);
  });
}

Deno.test({ name: "cluster/journey: minutes between two moments", ...safe }, () => {
  const at = (text: string) => Date.parse(`2026-01-01T${text}Z`);
  assert.deepEqual(minutesBetween(at("00:00:30"), at("00:02:00")), [
    "2026-01-01T00:01:00.000Z",
    "2026-01-01T00:02:00.000Z",
  ]);
  assert.deepEqual(minutesBetween(at("00:00:00"), at("00:00:59")), []);
});
