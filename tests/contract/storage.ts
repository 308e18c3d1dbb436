/** The contract of the control plane's Storage port: every backend passes these checks. */
import assert from "node:assert/strict";
import type { Storage } from "../../control-plane/mod/ports.ts";
import type { PipelineRecord, RunRecord, StatusRecord } from "../../control-plane/mod/records.ts";

/** Brings the port up over a backend of its own. */
export interface StorageHarness {
  storage: Storage;
  /** Ends this storage as a killed process would, and opens another over the same backend. */
  restart(): Promise<Storage>;
  /** Another process over the same backend. */
  second(): Promise<Storage>;
  dispose(): Promise<void>;
}

export type StorageCheck = (harness: StorageHarness) => Promise<void>;

const AT = "2026-01-02T03:04:05.000Z";

/** Every check by its name. */
export const storageChecks: Readonly<Record<string, StorageCheck>> = {
  "what was written is read, and what is absent is undefined": async ({ storage }) => {
    assert.equal(await storage.runner("a1"), undefined);
    assert.equal(await storage.restoredAt(), undefined);
    await storage.write(async (tx) => {
      await tx.putRunner({ agentId: "a1", firstSeenAt: AT });
      await tx.putPipeline(pipeline("p1"));
      await tx.putToken({ jti: "t1", scope: "runner", subject: "a1", issuedAt: AT, expiresAt: AT });
      await tx.setRestoredAt(AT);
      await tx.addAudit({ at: AT, actor: "me", action: "put", subject: "p1" });
    });
    assert.deepEqual(await storage.runner("a1"), { agentId: "a1", firstSeenAt: AT });
    assert.deepEqual(await storage.runners(), [{ agentId: "a1", firstSeenAt: AT }]);
    assert.deepEqual(await storage.pipeline("p1"), pipeline("p1"));
    assert.equal((await storage.token("t1"))?.subject, "a1");
    assert.equal((await storage.tokens()).length, 1);
    assert.equal(await storage.restoredAt(), AT);
    assert.deepEqual(await storage.audit(9), [{ at: AT, actor: "me", action: "put", subject: "p1" }]);
  },
  "putting again replaces; forgetting a pipeline forgets it": async ({ storage }) => {
    await storage.write((tx) => tx.putPipeline(pipeline("p1")));
    await storage.write((tx) => tx.putPipeline({ ...pipeline("p1"), revision: 2 }));
    assert.equal((await storage.pipeline("p1"))?.revision, 2);
    await storage.write((tx) => tx.forgetPipeline("p1"));
    assert.equal(await storage.pipeline("p1"), undefined);
  },
  "a transaction that throws leaves nothing, and takes no other with it": async ({ storage }) => {
    const results = await Promise.allSettled([
      storage.write((tx) => tx.putRun(run("r1"))),
      storage.write(async (tx) => {
        await tx.putRun(run("r2"));
        throw new Error("no");
      }),
      storage.write((tx) => tx.putRun(run("r3"))),
    ]);
    assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    assert.deepEqual((await storage.runs({ limit: 9 })).map(({ runId }) => runId), ["r3", "r1"]);
  },
  "a transaction sees its own writes; others see them once they are committed": async ({ storage }) => {
    const wait = storage.write(async (tx) => {
      await tx.putRun(run("r1"));
      assert.equal((await tx.run("r1"))?.runId, "r1");
      assert.equal(await storage.run("r1"), undefined);
    });
    await wait;
    assert.equal((await storage.run("r1"))?.runId, "r1");
  },
  "transactions run one after the other: no update is lost": async ({ storage }) => {
    await storage.write((tx) => tx.putPipeline(pipeline("p1")));
    const rise = () =>
      storage.write(async (tx) => {
        const record = await tx.pipeline("p1");
        if (record) await tx.putPipeline({ ...record, revision: record.revision + 1 });
      });
    await Promise.all(Array.from({ length: 200 }, rise));
    assert.equal((await storage.pipeline("p1"))?.revision, 201);
  },
  "a write that follows at once upon another's end is carried out": async ({ storage }) => {
    for (let round = 0; round < 20; round++) {
      await storage.write((tx) => tx.putRun(run(`r${round}`)));
      for (let turn = 0; turn < round; turn++) await Promise.resolve();
    }
    assert.equal((await storage.runs({ limit: 99 })).length, 20);
  },
  "a status is kept once by (runId, rank, note), in the order of writing": async ({ storage }) => {
    const added = await storage.write(async (tx) => {
      await tx.putRun(run("r1"));
      const all: boolean[] = [];
      for (const [rank, note] of [[2, 0], [1, 0], [2, 0], [2, 1]] as const) {
        all.push(await tx.addStatus(status(rank, note)));
      }
      return all;
    });
    assert.deepEqual(added, [true, true, false, true]);
    assert.deepEqual((await storage.statuses("r1")).map(({ rank, note }) => [rank, note]), [[2, 0], [1, 0], [2, 1]]);
  },
  "open runs are the runner's own, not terminal, the oldest first, up to a point": async ({ storage }) => {
    await storage.write(async (tx) => {
      await tx.putRun(run("r1"));
      await tx.putRun({ ...run("r2"), state: "success" });
      await tx.putRun({ ...run("r3"), agentId: "a2" });
      await tx.putRun({ ...run("r4"), state: "running" });
    });
    const point = await storage.lastRun();
    await storage.write((tx) => tx.putRun(run("r5")));
    const ids = async (upTo?: number) => (await storage.openRuns("a1", upTo)).map(({ runId }) => runId);
    assert.deepEqual(await ids(), ["r1", "r4", "r5"]);
    assert.deepEqual(await ids(point), ["r1", "r4"]);
    await storage.write((tx) => tx.putRun({ ...run("r1"), state: "failed" }));
    assert.deepEqual(await ids(), ["r4", "r5"]);
  },
  "lists are filtered and have pages": async ({ storage }) => {
    await storage.write(async (tx) => {
      for (let n = 1; n <= 4; n++) await tx.putRun({ ...run(`r${n}`), pipelineId: n === 2 ? "p2" : "p1" });
      for (const id of ["p3", "p1", "p2"]) {
        await tx.putPipeline({ ...pipeline(id), agentId: id === "p2" ? "a2" : "a1" });
      }
    });
    const runs = async (filter: Parameters<Storage["runs"]>[0]) =>
      (await storage.runs(filter)).map(({ runId }) => runId);
    assert.deepEqual(await runs({ pipelineId: "p1", limit: 2 }), ["r4", "r3"]);
    assert.deepEqual(await runs({ pipelineId: "p1", limit: 2, after: "r3" }), ["r1"]);
    assert.deepEqual(await runs({ agentId: "a2", limit: 9 }), []);
    const ids = async (filter: Parameters<Storage["pipelines"]>[0]) =>
      (await storage.pipelines(filter)).map(({ pipelineId }) => pipelineId);
    assert.deepEqual(await ids({}), ["p1", "p2", "p3"]);
    assert.deepEqual(await ids({ agentId: "a1", after: "p1" }), ["p3"]);
    assert.deepEqual(await ids({ limit: 1 }), ["p1"]);
  },
  "deleted pipelines are in no list, and are there by their id": async ({ storage }) => {
    await storage.write(async (tx) => {
      for (const id of ["p1", "p2", "p3"]) await tx.putPipeline(pipeline(id));
      await tx.putPipeline({ ...pipeline("p1"), deployment: "deleted" });
    });
    assert.deepEqual((await storage.pipelines({ agentId: "a1", limit: 2 })).map((one) => one.pipelineId), ["p2", "p3"]);
    assert.equal((await storage.pipeline("p1"))?.deployment, "deleted");
    await storage.write((tx) => tx.putPipeline(pipeline("p1")));
    assert.equal((await storage.pipelines({})).length, 3);
  },
  "tokens are found by whom they are for, and the revoked ones by that": async ({ storage }) => {
    const token = { jti: "t1", scope: "runner", subject: "a1", issuedAt: AT, expiresAt: AT } as const;
    await storage.write(async (tx) => {
      for (const more of [{}, { jti: "t2" }, { jti: "t3", subject: "a2" }]) await tx.putToken({ ...token, ...more });
      await tx.putToken({ ...token, revokedAt: AT });
    });
    assert.deepEqual((await storage.tokensOf("a1")).map(({ jti }) => jti), ["t1", "t2"]);
    assert.deepEqual(await storage.revokedTokens(), ["t1"]);
  },
  "the next start is the pipeline's oldest that still waits": async ({ storage }) => {
    const start = { method: "pipeline.run", notAfter: AT, answered: false } as const;
    await storage.write(async (tx) => {
      await tx.putRun({ ...run("r1"), start: { ...start, answered: true } });
      await tx.putRun({ ...run("r2"), start, state: "failed" });
      await tx.putRun({ ...run("r3"), start, stopRequestedAt: AT });
      await tx.putRun({ ...run("r4"), start: { ...start, method: "automation.run" } });
      await tx.putRun({ ...run("r5"), start, pipelineId: "p2" });
      await tx.putRun({ ...run("r6"), start, agentId: "a2" });
      for (const id of ["r7", "r8"]) await tx.putRun({ ...run(id), start });
    });
    assert.equal((await storage.nextStart("a1", "p1"))?.runId, "r7");
    await storage.write((tx) => tx.putRun({ ...run("r7"), start: { ...start, answered: true } }));
    assert.equal((await storage.nextStart("a1", "p1"))?.runId, "r8");
    assert.equal(await storage.nextStart("a1", "p3"), undefined);
  },
  "a forgotten run takes its statuses with it; of very many notes the newest stay": async ({ storage }) => {
    await storage.write(async (tx) => {
      await tx.putRun(run("r1"));
      for (let note = 0; note < 150; note++) await tx.addStatus(status(2, note));
    });
    const notes = (await storage.statuses("r1")).map(({ note }) => note);
    assert.deepEqual([notes[0], notes.at(-1), notes.length < 150], [0, 149, true]);
    await storage.write((tx) => tx.forgetRun("r1"));
    assert.deepEqual([await storage.run("r1"), await storage.statuses("r1")], [undefined, []]);
  },
  "everything acknowledged is there after a restart": async ({ storage, restart }) => {
    await storage.write(async (tx) => {
      await tx.putRun(run("r1"));
      await tx.addStatus(status(1, 0));
    });
    const again = await restart();
    assert.equal((await again.run("r1"))?.runId, "r1");
    assert.equal((await again.statuses("r1")).length, 1);
    await again.write((tx) => tx.putRun(run("r2")));
    assert.equal((await again.runs({ limit: 9 })).length, 2);
  },
  "another process's writes are noticed, one's own are not": async ({ storage, second }) => {
    await storage.changedOutside();
    await storage.write((tx) => tx.putRun(run("r1")));
    assert.equal(await storage.changedOutside(), false);
    const other = await second();
    await other.write((tx) => tx.putRun(run("r2")));
    await other.close();
    assert.equal(await storage.changedOutside(), true);
    assert.equal(await storage.changedOutside(), false);
  },
  "after close a write is refused, not forgotten": async ({ storage, restart }) => {
    const last = storage.write((tx) => tx.putRun(run("r1")));
    await storage.close();
    await last;
    await assert.rejects(storage.write((tx) => tx.putRun(run("r2"))), { code: "unavailable" });
    assert.equal((await (await restart()).run("r1"))?.runId, "r1");
  },
};

/** Makes one test per check. */
export function contract(name: string, makeHarness: () => Promise<StorageHarness>): void {
  for (const [title, check] of Object.entries(storageChecks)) {
    Deno.test({
      name: `${name}: ${title}`,
      sanitizeOps: true,
      sanitizeResources: true,
      fn: async () => {
        const harness = await makeHarness();
        try {
          await check(harness);
        } finally {
          await harness.dispose();
        }
      },
    });
  }
}

function run(runId: string): RunRecord {
  return {
    runId,
    pipelineId: "p1",
    pipelineName: "p1",
    agentId: "a1",
    kind: "pipeline",
    origin: "command",
    revision: 1,
    note: 0,
    times: {},
  };
}

function pipeline(pipelineId: string): PipelineRecord {
  return { pipelineId, agentId: "a1", revision: 1, deployment: "deployed" };
}

function status(rank: number, note: number): StatusRecord {
  return { runId: "r1", rank, note, state: rank === 1 ? "queued" : "running", recordedAt: AT, times: {} };
}
