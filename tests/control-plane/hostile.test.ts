/** A runner that lies: what it may take up, and whose runs it may touch. */
import assert from "node:assert/strict";
import { slotRunId } from "../../mod/names.ts";
import { settled, until } from "../wait.ts";
import { type Any, connect, pipelineBody, runOf, startServer, summaryOf, uuid } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({
    name: `control plane against a hostile runner: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn,
  });

type Server = Awaited<ReturnType<typeof startServer>>;
const runOn = async (server: Server, id: string): Promise<Any> => (await server.rest("GET", `/runs/${id}`)).body;

test("it cannot take the id of another runner's slot, nor show runs of another's pipeline", async () => {
  await using server = await startServer();
  const scheduledAt = "2026-03-01T04:00:00.000Z";
  const slot = slotRunId("a1", "p1", scheduledAt);
  await using good = await connect(server, await server.token("a1"));
  await good.begin();
  await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  await using evil = await connect(server, await server.token("evil"), { agentId: "evil" });
  const stolen = runOf({ runId: slot, pipelineId: "own", state: "success", origin: "schedule", scheduledAt });
  const foreign = uuid(), own = uuid();
  const runs = [
    stolen,
    runOf({ runId: foreign, pipelineId: "p1", state: "running" }),
    runOf({ runId: own, pipelineId: "own", state: "running" }),
  ];
  // Its snapshot goes on past what is refused.
  await evil.begin({ runs, pipelines: [summaryOf("own", 1)] });
  assert.equal((await server.rest("GET", `/runs/${foreign}`)).status, 404);
  assert.equal((await runOn(server, own)).state, "running");
  await assert.rejects(evil.status({ runId: foreign, pipelineId: "p1", state: "running" }), /another runner/);
  // Its own run cannot become one of that pipeline either.
  await assert.rejects(evil.status({ runId: own, pipelineId: "p1", state: "success" }), /another runner/);

  await good.status({ runId: slot, state: "running", origin: "schedule", scheduledAt });
  const detail = await runOn(server, slot);
  assert.deepEqual([detail.agentId, detail.pipelineId, detail.state], ["a1", "p1", "running"]);
  assert.deepEqual(detail.timeline.map(({ state }: Any) => state), ["running"]);
  await assert.rejects(evil.status(stolen), /another runner/);
  assert.equal((await runOn(server, slot)).state, "running");
});

test("of very many notes the first and the newest are kept", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  await runner.begin();
  const runId = uuid();
  const notes = Array.from({ length: 250 }, (_, note) => runner.status({ runId, state: "running", note }));
  await Promise.all(notes);
  const { timeline } = await runOn(server, runId);
  assert.equal(timeline.length, 101);
  assert.deepEqual([timeline[0].note, timeline[1].note, timeline.at(-1).note], [0, 150, 249]);
});

test("gaps fill a log's window too", async () => {
  await using server = await startServer({ open: true });
  await using runner = await connect(server, await server.token("a1"));
  const runId = uuid();
  await runner.begin({ runs: [runOf({ runId, state: "running" })] });
  const response = await fetch(`${server.url}/api/v1/runs/${runId}/log/events`);
  const { streamId } = await until("log.open", () => runner.called("log.open")[0]);
  const gap = { from: "a".repeat(512), to: "b".repeat(512) };
  const refused: string[] = [];
  const sent: Promise<unknown>[] = [];
  for (let n = 0; n < 60_000 && refused.length === 0; n++) {
    const answer = runner.ask("log.chunk", { streamId, cursor: `${n}`, gap });
    sent.push(answer.catch((error) => refused.push(String(error))));
    if (n % 200 === 0) await settled();
  }
  await until("a refusal", () => refused.length > 0, { patienceMs: 10_000 });
  assert.match(refused[0] ?? "", /beyond the window/);
  await response.body?.cancel();
  await Promise.all(sent);
});

test("a demoted instance's snapshot ends no run", async () => {
  await using server = await startServer();
  const token = await server.token("a1");
  const runId = uuid();
  await using old = await connect(server, token);
  await old.begin({ hello: { epoch: 1 }, runs: [runOf({ runId, state: "running" })] });
  // Its first term has asked for a run that it did not show.
  const { runs: { missing } } = await old.begin({ hello: { epoch: 1 } });
  assert.deepEqual(missing, [runId]);
  await using young = await connect(server, token);
  await young.begin({ hello: { epoch: 2, instanceId: "a1-2" }, runs: [runOf({ runId, state: "running" })] });
  const page = { snapshotId: "x", page: 1, last: true, runs: [] };
  assert.deepEqual(await old.ask("runs.snapshot", { ...page, absent: [runId] }), { decisions: [] });
  assert.deepEqual(await old.ask("runs.snapshot", page), { decisions: [] });
  // Nor does the active one's, if nobody asked for it.
  await young.ask("runs.snapshot", { ...page, absent: [runId] });
  assert.equal((await runOn(server, runId)).state, "running");
});
