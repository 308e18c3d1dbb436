/** REST: bad input is told apart, lists have pages, changes are told as they happen. */
import assert from "node:assert/strict";
import { until } from "../wait.ts";
import { type Any, connect, pipelineBody, runOf, startServer, uuid } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane REST: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

test("plain text in a masked field is refused with its path, and never its value", async () => {
  await using server = await startServer();
  await server.token("a1");
  const canary = "hunter2-canary";
  const refused: [string, string][] = [
    [`source:\n  serviceConnection:\n    password: ${canary}`, "document.source.serviceConnection.password"],
    [`a:\n  - awsConfig: {awsSecretAccessKey: "${canary}"}`, "document.a[0].awsConfig.awsSecretAccessKey"],
    [JSON.stringify({ x: { jwtToken: canary } }), "document.x.jwtToken"],
    [`private_key: 12345`, "document.private_key"],
    [`tokens: 1\ntoken: [secret:/a, "${canary}"]`, "document.token[1]"],
    [`password: "${canary}`, "document"],
    ...[
      "saslPassword",
      "personalAccessTokenSecret",
      "accessTokenPassword",
      "secretToken",
      "dbtCloudAuthToken",
      "snowflakePrivatekeyPassphrase",
      "keyStorePassword",
      "basicAuthUserInfo",
      "gcp-credentials",
      "SASL_JAAS_CONFIG",
    ].map((name): [string, string] => [`${name}: ${canary}`, `document.${name}`]),
    [`passwords: [${canary}]`, "document.passwords[0]"],
    [`password: {value: ${canary}}`, "document.password.value"],
    [`%YAML 1.1\n---\na: !!omap [{password: ${canary}}]`, "document.a.password"],
  ];
  for (const [document, path] of refused) {
    const { status, body } = await server.rest("PUT", "/pipelines/p1", pipelineBody("a1", { document }));
    assert.deepEqual([status, body.path], [400, path], document);
    assert.ok(!JSON.stringify(body).includes(canary));
  }
  const document = "password: secret:/a/b\ntoken: secret:c#k\nempty: {password: ''}\nsecretsManager: local\n" +
    "nextPageToken: abc\ncredentials: {gcpConfig: {type: service_account, privateKey: 'secret:c#k'}}";
  const { status, body } = await server.rest("PUT", "/pipelines/p1", pipelineBody("a1", { document }));
  assert.deepEqual([status, body.references], [201, ["secret:/a/b", "secret:c#k"]]);
  const malformed = await server.rest("PUT", "/pipelines/p1", pipelineBody("a1", { document: "a: 'secret:'" }));
  assert.equal(malformed.status, 400);
});

test("bad bodies, addresses and methods each have their answer", async () => {
  await using server = await startServer();
  for (const agentId of ["a1", "a2"]) await server.token(agentId);
  const put = (body: Any) => server.rest("PUT", "/pipelines/p1", body);
  const long = await server.rest("PUT", `/pipelines/${"x".repeat(600)}`, pipelineBody("a1"));
  assert.deepEqual([long.status, long.body.path], [400, "pipelineId"]);
  const typo = await put(pipelineBody("a11"));
  assert.deepEqual([typo.status, typo.body.path, /no runner a11/.test(typo.body.detail)], [404, "agentId", true]);
  assert.equal((await put({})).status, 400);
  assert.equal((await put(pipelineBody("a1", { shcedule: "x" }))).status, 400);
  assert.equal((await put(pipelineBody("a1", { revision: 3 }))).status, 400);
  const env = await put(pipelineBody("a1", { env: { LD_PRELOAD: "x" } }));
  assert.equal(env.status, 400);
  assert.equal((await put(pipelineBody("a1", { document: "x".repeat(901 * 1024) }))).status, 400);
  assert.equal((await server.rest("POST", "/pipelines/nope/runs")).status, 404);
  assert.equal((await server.rest("POST", "/pipelines/nope/toggle", { enabled: "yes" })).status, 400);
  assert.equal((await server.rest("GET", "/runs?limit=0")).status, 400);
  assert.equal((await server.rest("GET", "/nowhere")).status, 404);
  const patch = await server.rest("PATCH", "/runners");
  assert.deepEqual([patch.status, patch.body.code], [405, "invalid"]);
  assert.equal((await server.rest("POST", "/canary", { agentId: "never" })).status, 404);
  assert.equal((await server.rest("GET", "/runs/%E0%A4%A")).status, 400);
  const other = await server.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
  assert.equal(other.status, 201);
  assert.equal((await put(pipelineBody("a2"))).status, 409);
  const unauthorized = await fetch(`${server.url}/api/v1/runners`);
  assert.equal(unauthorized.status, 401);
  assert.match(unauthorized.headers.get("content-type")!, /problem\+json/);
  await unauthorized.body?.cancel();
});

test("lists have pages, and the schemas are published", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  const ids = Array.from({ length: 5 }, uuid);
  await runner.begin({ runs: ids.map((runId) => runOf({ runId, state: "running" })) });
  const first = (await server.rest("GET", "/runs?agentId=a1&limit=3")).body;
  assert.deepEqual(first.items.map((run: Any) => run.runId), ids.toReversed().slice(0, 3));
  const second = (await server.rest("GET", `/runs?limit=3&after=${first.next}`)).body;
  assert.deepEqual(second.items.map((run: Any) => run.runId), ids.toReversed().slice(3));
  assert.equal(second.next, undefined);
  const { body } = await server.rest("GET", "/openapi.json");
  assert.equal(body.openapi, "3.1.0");
  assert.ok(body.paths["/pipelines/{id}"].put.requestBody);
});

test("changes are told as Server-Sent Events", async () => {
  await using server = await startServer({ open: true });
  const response = await fetch(`${server.url}/api/v1/events`);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  await using runner = await connect(server, await server.token("a1"));
  const runId = uuid();
  await runner.begin({ runs: [runOf({ runId, state: "running" })] });
  await runner.status({ runId, state: "success" });
  let text = "";
  while (!/event: run\ndata: .*"state":"success"/.test(text)) {
    const { done, value } = await reader.read();
    assert.ok(!done);
    text += value;
  }
  assert.match(text, /event: runner\ndata: .*"status":"Active"/);
  await reader.cancel();
});

test("an automation and the canary go to the runner as what they are", async () => {
  await using server = await startServer();
  await using runner = await connect(server, await server.token("a1"));
  await runner.begin();
  const job = { pipelineId: "t1", name: "test connection", type: "TEST_CONNECTION", document: "{}" };
  const automation = await server.rest("POST", "/automations", { agentId: "a1", job });
  assert.deepEqual([automation.status, automation.body.kind, automation.body.state], [202, "automation", "commanded"]);
  assert.equal((await server.rest("POST", "/canary", { agentId: "a1" })).status, 202);
  await until("both", () => runner.called("automation.run").length + runner.called("canary.run").length === 2);
  assert.equal(runner.called("automation.run")[0].job.name, "test connection");
  const audit = (await server.rest("GET", "/audit")).body.items.map((item: Any) => `${item.actor} ${item.action}`);
  assert.deepEqual(audit, ["tester canary.run", "tester automation.run"]);
});
