/** The store: what comes late, twice or out of order must not be told again. */
import assert from "node:assert/strict";
import { systemClock } from "../../adapters/clock.ts";
import type { ApiObject } from "../../adapters/cluster/target.ts";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import { ANNOTATIONS, LABELS } from "../../adapters/engine/cluster/marks.ts";
import { createStore } from "../../adapters/engine/cluster/store.ts";
import { createFeed } from "../../adapters/engine/feed.ts";
import { kubernetesDialect } from "../../adapters/engine/kubernetes/dialect.ts";
import { createRecent } from "../../adapters/engine/cluster/recent.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const RUN = "00000000-0000-4000-8000-000000000001";

function job(resourceVersion: string, status: object = {}): ApiObject {
  return {
    metadata: {
      ...{ name: "run", uid: "uid", resourceVersion, creationTimestamp: "2026-01-01T00:00:00Z" },
      labels: { [LABELS.revision]: "1", [LABELS.pipeline]: "hash" },
      annotations: { [ANNOTATIONS.pipelineId]: "p", [ANNOTATIONS.jobKind]: "pipeline", [ANNOTATIONS.runId]: RUN },
    },
    spec: {},
    status,
  };
}
const complete = {
  completionTime: "2026-01-01T00:00:09Z",
  conditions: [{ type: "Complete", status: "True", lastTransitionTime: "2026-01-01T00:00:09Z" }],
};

function scene() {
  const life = new AbortController();
  const feed = createFeed();
  const told: string[] = [];
  // Nothing here may ask the API server.
  const access = new Proxy({}, { get: () => () => Promise.reject(new Error("asked")) }) as ClusterAccess;
  const store = createStore({
    ...{ access, namespace: "here", dialect: kubernetesDialect, clock: systemClock, log: () => {}, life: life.signal },
    feed: { ...feed, publish: (event) => event.kind === "run" && told.push(event.run.state) },
    minted: () => {},
    ended: () => {},
  });
  store.run({ kind: "listed" });
  store.pod({ kind: "listed" });
  return { store, told, life };
}

Deno.test({ name: "store: an event from before its acknowledgement does not bring a run back", ...safe }, async () => {
  const { store, told, life } = scene();
  store.run({ kind: "added", object: job("1") });
  store.run({ kind: "modified", object: job("3", complete) });
  assert.deepEqual(told, ["queued", "success"]);
  store.forget(RUN);
  store.run({ kind: "modified", object: job("4", complete) });
  assert.deepEqual(told, ["queued", "success"]);
  assert.equal(store.byRunId(RUN), undefined);
  assert.deepEqual([...store.entries()], []);
  life.abort();
  await store.settled();
});

Deno.test({ name: "store: an older version does not undo what our own write answered", ...safe }, async () => {
  const { store, told, life } = scene();
  store.put(job("5", complete));
  store.run({ kind: "added", object: job("2") });
  assert.deepEqual(told, ["success"]);
  assert.equal(store.byRunId(RUN)?.facts.phase, "succeeded");
  life.abort();
  await store.settled();
});

Deno.test({ name: "store: another object of the same name is another run", ...safe }, async () => {
  const { store, told, life } = scene();
  store.run({ kind: "added", object: job("1", complete) });
  store.forget(RUN);
  const other = job("9");
  other.metadata.uid = "another";
  store.run({ kind: "added", object: other });
  assert.deepEqual(told, ["success", "queued"]);
  life.abort();
  await store.settled();
});

Deno.test({ name: "recent: knows the last so many", ...safe }, () => {
  const recent = createRecent(2);
  for (const id of ["a", "b", "a", "c"]) recent.add(id);
  assert.deepEqual(["a", "b", "c"].map(recent.has), [false, true, true]);
});
