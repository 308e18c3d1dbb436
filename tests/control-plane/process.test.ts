/** The real process: kill -9, signals, exit codes, backup and restore. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { inFolder } from "../folder.ts";
import { until } from "../wait.ts";
import { type Any, connect, pipelineBody, runOf, uuid } from "./support.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `control plane process: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });

const MAIN = "control-plane/main.ts";

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const options: Deno.CommandOptions = { args: ["run", "-A", MAIN, ...args], stdout: "piped", stderr: "piped" };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), options).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout).trim(), err: decoder.decode(stderr).trim() };
}

/** A served data folder; `end` sends the signal and answers the exit status. */
async function serve(data: string) {
  const args = ["run", "-A", MAIN, "serve", "--data", data, "--listen", "127.0.0.1:0", "--open-on-loopback"];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "inherit" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes('"listening"')) {
    const { done, value } = await reader.read();
    assert.ok(!done, "it ended before it listened");
    text += value;
  }
  const url: string = JSON.parse(text.split("\n").find((line) => line.includes('"listening"'))!).url;
  const rest = async (method: string, path: string, body?: unknown): Promise<Any> => {
    const headers = { "content-type": "application/json" };
    const init = { method, headers, ...body === undefined ? {} : { body: JSON.stringify(body) } };
    return await (await fetch(`${url}/api/v1${path}`, init)).json();
  };
  return {
    url,
    rest,
    async end(signal: Deno.Signal): Promise<Deno.CommandStatus> {
      child.kill(signal);
      // What is left to read is read, so that the pipe closes.
      while (!(await reader.read()).done);
      return await child.status;
    },
  };
}

test("killed with -9 between statuses, it comes back with everything that it acknowledged", () =>
  inFolder(async (data) => {
    const { out: token } = await cli("token", "issue", "--agent", "a1", "--data", data);
    const first = await serve(data);
    const runner = await connect(first, token);
    await runner.begin();
    await first.rest("PUT", "/pipelines/p1", pipelineBody("a1"));
    await until("deployed", async () => (await first.rest("GET", "/pipelines/p1")).deployment === "deployed");
    const { runId } = await first.rest("POST", "/pipelines/p1/runs");
    await until("the command", () => runner.called("pipeline.run").length === 1);
    const adopted = Array.from({ length: 20 }, uuid);
    await Promise.all(adopted.map((id) => runner.status({ runId: id, state: "running" })));
    await runner.status({ runId, state: "running" });
    await first.end("SIGKILL");
    await runner.closed;
    const second = await serve(data);
    assert.equal((await second.rest("GET", "/runners/a1")).status, "Inactive");
    assert.match((await second.rest("GET", "/runners/a1")).reason, /restarted/);
    assert.equal((await second.rest("GET", `/runs/${runId}`)).state, "running");
    assert.equal((await second.rest("GET", "/runs?agentId=a1")).items.length, 21);
    const again = await connect(second, token);
    const { runs } = await again.begin({ runs: adopted.map((id) => runOf({ runId: id, state: "running" })) });
    assert.deepEqual(runs.missing, [runId]);
    await again.status({ runId, state: "success" });
    const told = (await second.rest("GET", `/runs/${runId}`)).timeline.map((entry: Any) => entry.state);
    assert.deepEqual(told, ["running", "success"]);
    const { code } = await second.end("SIGTERM");
    assert.equal(code, 0);
    assert.equal((await again.closed).code, 4400);
    assert.equal(again.called("server.goodbye").length, 1);
  }));

test("restored from a backup, it asks for everything, and the revoked stay revoked", () =>
  inFolder(async (data) => {
    const { out: token } = await cli("token", "issue", "--agent", "a1", "--data", data);
    await cli("token", "issue", "--agent", "thief", "--data", data);
    const first = await serve(data);
    const known = uuid(), later = uuid();
    const runner = await connect(first, token);
    assert.equal((await runner.begin()).full, false);
    await runner.status({ runId: known, state: "running" });
    const file = `${data}/backup.db`;
    assert.equal((await cli("backup", file, "--data", data)).code, 0);
    assert.equal((await cli("backup", file, "--data", data)).code, 1);
    await runner.status({ runId: later, state: "success" });
    const tokens: Any[] = JSON.parse((await cli("token", "list", "--json", "--data", data)).out);
    const { jti } = tokens.find((entry) => entry.subject === "thief");
    await cli("token", "revoke", jti, "--data", data);
    const busy = await cli("restore", file, "--data", data);
    assert.deepEqual([busy.code, /another control plane is running/.test(busy.err)], [3, true]);
    await first.end("SIGTERM");
    await runner.closed;
    assert.equal((await cli("restore", file, "--data", data)).code, 0);
    const second = await serve(data);
    const again = await connect(second, token);
    const runs = [runOf({ runId: known, state: "running" }), runOf({ runId: later, state: "success" })];
    assert.equal((await again.begin({ runs })).full, true);
    assert.equal((await second.rest("GET", `/runs/${later}`)).state, "success");
    const third = await again.begin({ runs });
    assert.equal(third.full, false);
    assert.match((await cli("token", "list", "--data", data)).out, new RegExp(`${jti} .* revoked`));
    await second.end("SIGTERM");
    await again.closed;
  }));

test("each kind of bad folder, database, port and command line has its sentence and exit code", () =>
  inFolder(async (data) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const put = (name: string, make: (folder: string) => void) => {
      const folder = `${data}/${name}`;
      Deno.mkdirSync(folder);
      make(folder);
      return ["serve", "--data", folder, "--listen", "127.0.0.1:0"];
    };
    const database = (sql: string) => (folder: string) => {
      const db = new DatabaseSync(`${folder}/control-plane.db`);
      db.exec(sql);
      db.close();
    };
    const corrupt = (folder: string) =>
      Deno.writeTextFileSync(`${folder}/control-plane.db`, "no database ".repeat(999));
    const cases: [string[], number, RegExp][] = [
      [["serve", "--data", `${data}/nowhere`], 3, /does not exist/],
      [put("corrupt", corrupt), 3, /corrupt/],
      [put("newer", database("PRAGMA application_id = 1213353808; PRAGMA user_version = 999")), 3, /version 999/],
      [put("other", database("CREATE TABLE t (a)")), 3, /another program/],
      [put("folder", (folder) => Deno.mkdirSync(`${folder}/control-plane.db`)), 3, /it is a folder/],
      [["serve", "--data", data, "--listen", `127.0.0.1:${taken.addr.port}`], 4, /port is in use/],
      [["serve", "--listen", "nonsense"], 2, /HOST:PORT/],
      [["serve", "--listen", "0.0.0.0:1", "--open-on-loopback"], 2, /must be loopback/],
      [["serve", "--hartbeat-seconds", "1"], 2, /no option --hartbeat-seconds/],
      [["dance"], 2, /no command dance/],
      [["token", "issue", "--data", data], 2, /--agent ID or --operator/],
      [["token", "revoke", "--data", data], 2, /wants the token's JTI/],
      [["restore", `${data}/corrupt/control-plane.db`, "--data", data], 3, /corrupt/],
    ];
    // Two at a time: each is a process of its own.
    for (let at = 0; at < cases.length; at += 2) {
      await Promise.all(
        cases.slice(at, at + 2).map(async ([args, code, sentence]) => {
          const result = await cli(...args);
          assert.match(result.err, sentence);
          assert.equal(result.code, code, args.join(" "));
          assert.equal(result.err.split("\n").length, 1);
        }),
      );
    }
    taken.close();
    assert.match((await cli("--help")).out, /Exit codes/);
    assert.equal((await cli("version")).out, "0.1.0");
  }));

test("half a request and open streams do not hold up SIGTERM", () =>
  inFolder(async (data) => {
    const server = await serve(data);
    const { hostname, port } = new URL(server.url);
    using half = await Deno.connect({ hostname, port: Number(port) });
    await half.write(new TextEncoder().encode("GET /api/v1/run"));
    const stream = await fetch(`${server.url}/api/v1/events`);
    const { code } = await server.end("SIGTERM");
    assert.equal(code, 0);
    await stream.body?.cancel().catch(() => {});
  }));
