/** What stands on our objects, frozen: under other names a newer runner would not find what an older one made. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ANNOTATIONS,
  labelOf,
  LABELS,
  marksOf,
  ownLabels,
  pipelineLabels,
} from "../../adapters/engine/cluster/marks.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test({ name: "marks: the names of labels and annotations are frozen", ...safe }, () => {
  assert.deepEqual({ ...LABELS, ...ANNOTATIONS }, {
    managedBy: "app.kubernetes.io/managed-by",
    agent: "hybrid-runner.dev/agent",
    pipeline: "hybrid-runner.dev/pipeline",
    run: "hybrid-runner.dev/run",
    revision: "hybrid-runner.dev/revision",
    type: "hybrid-runner.dev/type",
    origin: "hybrid-runner.dev/origin",
    acknowledged: "hybrid-runner.dev/acknowledged",
    agentId: "hybrid-runner.dev/agent-id",
    pipelineId: "hybrid-runner.dev/pipeline-id",
    pipelineName: "hybrid-runner.dev/pipeline-name",
    runId: "hybrid-runner.dev/run-id",
    jobKind: "hybrid-runner.dev/job-kind",
    received: "hybrid-runner.dev/received",
    accepted: "hybrid-runner.dev/accepted",
    scheduledAt: "hybrid-runner.dev/scheduled-at",
    contentDigest: "hybrid-runner.dev/content-digest",
    renderedDigest: "hybrid-runner.dev/rendered-digest",
    documentSecret: "hybrid-runner.dev/document-secret",
    maxActiveRuns: "hybrid-runner.dev/max-active-runs",
    deadlineSeconds: "hybrid-runner.dev/deadline-seconds",
    retries: "hybrid-runner.dev/retries",
    endedBy: "hybrid-runner.dev/ended-by",
    endedMessage: "hybrid-runner.dev/ended-message",
    endedAt: "hybrid-runner.dev/ended-at",
    removed: "hybrid-runner.dev/removed",
    ready: "hybrid-runner.dev/ready",
    enabled: "hybrid-runner.dev/enabled",
    commandRevision: "hybrid-runner.dev/command-revision",
  });
});

Deno.test({ name: "marks: vectors of the labels that everything is found by", ...safe }, () => {
  assert.deepEqual(pipelineLabels("RemoteRunner", "warehouse.metadata"), {
    "app.kubernetes.io/managed-by": "hybrid-runner",
    "hybrid-runner.dev/agent": "x5rr62og",
    "hybrid-runner.dev/pipeline": "slet5u6ro2ktje4ur4ph",
  });
  assert.notDeepEqual(ownLabels("RemoteRunner"), ownLabels("RemoteRunner2"));
});

Deno.test({ name: "marks: a label can be made of any text", ...safe }, () => {
  for (
    const [text, label] of [["metadata", "metadata"], ["a b/c", "a_b_c"], ["-x-", "x"], ["TestSuite", "TestSuite"]]
  ) {
    assert.equal(labelOf(text ?? ""), label);
  }
  fc.assert(fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
    assert.match(labelOf(text), /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/);
  }));
});

Deno.test({ name: "marks: what bears none, or damaged ones, is not ours", ...safe }, () => {
  const metadata = { name: "x", uid: "u", resourceVersion: "1" };
  assert.equal(marksOf({ metadata }), undefined);
  const labels = { [LABELS.revision]: "1", [LABELS.pipeline]: "hash" };
  const annotations = { [ANNOTATIONS.pipelineId]: "p", [ANNOTATIONS.jobKind]: "pipeline" };
  assert.equal(marksOf({ metadata: { ...metadata, labels, annotations } })?.revision, 1);
  for (const damage of ["x", "", "-1", "1e3", "99999999999"]) {
    const broken = { ...labels, [LABELS.revision]: damage };
    assert.equal(marksOf({ metadata: { ...metadata, labels: broken, annotations } }), undefined, damage);
  }
});
