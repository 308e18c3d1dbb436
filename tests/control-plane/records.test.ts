/** What one bad record, one failing write or one full list does to everything beside it. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { databaseOf } from "../../control-plane/adapters/cli/compose.ts";
import { openStorage } from "../../control-plane/adapters/sqlite/storage.ts";
import { LAST_REVISION } from "../../mod/run.ts";
import { inFolder } from "../folder.ts";
import { until } from "../wait.ts";
import { type Any, connect, pipelineBody, startServer, summaryOf } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane records: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

type Server = Awaited<ReturnType<typeof startServer>>;

/** Runs SQL beside the server, as nothing of ours would. */
function sql(server: Server, text: string): void {
  const db = new DatabaseSync(databaseOf(server.data));
  try {
    db.exec(text);
  } finally {
    db.close();
  }
}

const idsOf = async (server: Server, query: string): Promise<{ ids: string[]; next?: string }> => {
  const { status, body } = await server.rest("GET", `/pipelines?${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return { ids: body.items.map((item: Any) => item.pipelineId), next: body.next };
};

async function withPipelines(server: Server, ids: string[]): Promise<void> {
  await server.token("a1");
  for (const id of ids) await server.rest("PUT", `/pipelines/${id}`, pipelineBody("a1"));
}

test("a row that cannot be read is left out of the lists, and pages go on behind it", async () => {
  await using server = await startServer();
  await withPipelines(server, ["p1", "p2", "p3", "p4"]);
  sql(server, `UPDATE pipelines SET body = 'no json' WHERE pipeline_id = 'p1'`);
  sql(server, `UPDATE pipelines SET body = '{"pipelineId":"p3","revision":9007199254740992}' WHERE pipeline_id = 'p3'`);
  assert.deepEqual(await idsOf(server, "limit=9"), { ids: ["p2", "p4"], next: undefined });
  assert.deepEqual(await idsOf(server, "limit=1"), { ids: ["p2"], next: "p2" });
  assert.deepEqual(await idsOf(server, "limit=1&after=p2"), { ids: ["p4"], next: "p4" });
  assert.equal((await server.rest("GET", "/pipelines/p3")).status, 502);
  await using runner = await connect(server, await server.token("a1"));
  await runner.begin();
  await until("the others' commands", () => runner.called("pipeline.deploy").length === 2);
});

test("an unreadable row is told once", () =>
  inFolder(async (data) => {
    const told: string[] = [];
    const storage = openStorage(`${data}/db`, {
      log: (_level, event, fields) => told.push(`${event} ${fields?.reason}`),
    });
    await storage.write((tx) => tx.putPipeline({ pipelineId: "p", agentId: "a", revision: 1, deployment: "pending" }));
    const db = new DatabaseSync(`${data}/db`);
    db.exec("UPDATE pipelines SET body = '{}'");
    db.close();
    for (let n = 0; n < 3; n++) assert.deepEqual(await storage.pipelines({}), []);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? "", /record\.unreadable Cannot read row 1 of pipelines: pipelineId/);
    await storage.close();
  }));

test("revisions end where every reader can still read them", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  const beyond = summaryOf("p1", 9007199254740991);
  await assert.rejects(runner.begin({ pipelines: [beyond] }), /pipelines\.0\.(deployedR|r)evision/);
  await runner.begin({ pipelines: [summaryOf("p1", LAST_REVISION)] });
  const { status, body } = await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  assert.deepEqual([status, body.revision], [200, LAST_REVISION]);
  assert.deepEqual((await idsOf(server, "limit=9")).ids, ["p1"]);
});

test("a change whose audit cannot be written is not made, and nothing begins", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  await runner.begin();
  await withPipelines(server, ["p1"]);
  await until("deployed", async () => (await server.rest("GET", "/pipelines/p1")).body.deployment === "deployed");
  sql(server, "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END");
  const asked: [string, string, Any?][] = [
    ["PUT", "/pipelines/p2", pipelineBody("a1")],
    ["POST", "/pipelines/p1/toggle", { enabled: false }],
    ["POST", "/pipelines/p1/runs"],
    ["POST", "/pipelines/p1/stop"],
    ["POST", "/canary", { agentId: "a1" }],
    ["DELETE", "/pipelines/p1"],
  ];
  for (const [method, path, body] of asked) {
    assert.ok((await server.rest(method, path, body)).status >= 500, `${method} ${path}`);
  }
  assert.equal((await server.rest("GET", "/pipelines/p2")).status, 404);
  const { body } = await server.rest("GET", "/pipelines/p1");
  assert.deepEqual([body.revision, body.enabled, body.deployment], [1, true, "deployed"]);
  assert.deepEqual((await server.rest("GET", "/runs")).body.items, []);
  sql(server, "DROP TRIGGER full");
  await server.rest("POST", "/canary", { agentId: "a1" });
  await until("the canary", () => runner.called("canary.run").length === 1);
  assert.deepEqual(runner.calls.map(({ method }) => method), ["pipeline.deploy", "canary.run"]);
});

test("deleted pipelines take no places in a page", async () => {
  await using server = await startServer();
  await withPipelines(server, ["p1", "p2", "p3", "p4", "p5"]);
  for (const id of ["p1", "p2", "p4"]) await server.rest("DELETE", `/pipelines/${id}`);
  assert.deepEqual(await idsOf(server, "limit=2"), { ids: ["p3", "p5"], next: "p5" });
  assert.deepEqual(await idsOf(server, "agentId=a1&limit=1&after=p3"), { ids: ["p5"], next: "p5" });
});

test("a heartbeat that nobody watches reads no tokens, and a view reads no document", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  await runner.begin();
  const document = "source:\n  password: secret:/a/b\n";
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1", { document }));
  assert.deepEqual((await server.storage.pipeline("p1"))?.references, ["secret:/a/b"]);
  let reads = 0;
  const { tokens, tokensOf } = server.storage;
  server.storage.tokens = () => (reads++, tokens());
  server.storage.tokensOf = (subject) => (reads++, tokensOf(subject));
  await runner.ask("runner.heartbeat", {
    inFlight: 0,
    oldestUnacknowledgedSeconds: 0,
    clock: new Date().toISOString(),
  });
  await until("the heartbeat on record", async () => (await server.storage.runner("a1"))?.lastHeartbeatAt);
  assert.equal(reads, 0);
});
