/** The runner as a process: exit codes and what a person reads when it cannot start. */
import assert from "node:assert/strict";

const CANARY = "canary-9d21";

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs main.ts with nothing but these variables in its environment. */
function spawn(args: string[], env: Record<string, string> = {}): Deno.ChildProcess {
  const kept = Object.fromEntries(["HOME", "DENO_DIR", "PATH", "DENO_TLS_CA_STORE"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-all", "main.ts", ...args],
    env: { ...kept, HEALTH_PORT: "0", HEALTH_HOST: "127.0.0.1", ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function ended(child: Deno.ChildProcess): Promise<Ended> {
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const all = { code, stdout: decode(stdout), stderr: decode(stderr) };
  assert(!`${all.stdout}${all.stderr}`.includes(CANARY), "the token is in the output");
  return all;
}

const settings = { AGENT_ID: "a", SERVER_URL: "ws://127.0.0.1:9", AUTH_TOKEN: CANARY };

Deno.test("process: help and version", async () => {
  for (const arg of ["help", "--help", "-h"]) {
    const { code, stdout } = await ended(spawn([arg]));
    assert.equal(code, 0);
    assert.match(stdout, /exit codes/);
  }
  assert.match((await ended(spawn(["version"]))).stdout, /^hybrid-runner \d+\.\d+\.\d+\n$/);
});

Deno.test("process: an unknown command is wrong usage", async () => {
  const { code, stderr } = await ended(spawn(["rnu"]));
  assert.equal(code, 2);
  assert.match(stderr, /^Cannot run "rnu": there is no such command/);
});

Deno.test("process: wrong settings end with 2, every problem on a line of its own", async () => {
  const { code, stderr } = await ended(spawn([], { SERVER_URL: "ftp://x", AUTH_TOKEN: CANARY, LOG_LEVEL: "loud" }));
  assert.equal(code, 2);
  assert.deepEqual(stderr.trim().split("\n").map((line) => line.split(" ").slice(0, 2).join(" ")), [
    "Cannot start:",
    "- AGENT_ID",
    "- SERVER_URL",
    "- LOG_LEVEL",
  ]);
});

Deno.test("process: a health port in use ends with 3 and names the setting", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { code, stderr } = await ended(spawn([], { ...settings, HEALTH_PORT: `${listener.addr.port}` }));
  assert.equal(code, 3);
  assert.match(stderr, new RegExp(`Cannot serve health on port ${listener.addr.port}: .*set HEALTH_PORT`));
});

Deno.test("process: no control plane, no engine: it goes on, says so in readiness, and SIGTERM ends it with 0", async () => {
  const child = spawn([], settings);
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const seen = async (pattern: RegExp): Promise<string> => {
    for (let found = text.match(pattern);; found = text.match(pattern)) {
      if (found) return found[1] ?? "";
      const { value, done } = await reader.read();
      if (done) throw new Error(`it ended:\n${text}`);
      text += value;
    }
  };
  const address = await seen(/"runner\.started".*"address":"([^"]+)"/);
  await seen(/link\.unavailable/);
  const live = await fetch(`${address}/livez`), ready = await fetch(`${address}/readyz`);
  assert.equal(await live.text(), "ok\n");
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /control plane: Cannot reach .*\nengine: /s);
  const detail = await (await fetch(`${address}/healthz`)).json();
  assert.deepEqual([detail.alive, detail.ready], [true, false]);
  assert.equal((await (await fetch(`${address}/other`)).text()).trim(), "not found");
  child.kill("SIGTERM");
  await seen(/runner\.stopped/);
  await reader.cancel();
  await child.stdout.cancel();
  assert.equal((await child.status).code, 0);
  assert.match(text, /"secretsManager":"kubernetes"/);
  assert.match(text, /SERVER_URL has no TLS/);
  assert.match(text, /token\.unusable/);
  assert(!text.includes(CANARY));
});

Deno.test("process: two runners on one state folder: the second ends with 3", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/settings.yaml`, "local: {commands: {default: {command: 'true'}}}");
  const local = {
    ...settings,
    EXECUTOR_TYPE: "local",
    HYBRID_RUNNER_STATE_DIR: `${folder}/state`,
    HYBRID_RUNNER_SETTINGS: `${folder}/settings.yaml`,
  };
  const first = spawn([], local);
  const reader = first.stderr.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !text.includes("runner.started");) {
    const { value, done } = await reader.read();
    assert(!done, text);
    text += value;
  }
  const { code, stderr } = await ended(spawn([], local));
  assert.equal(code, 3);
  assert.match(stderr, /in use|another runner/);
  first.kill("SIGTERM");
  while (!(await reader.read()).done);
  await first.stdout.cancel();
  assert.equal((await first.status).code, 0);
  await Deno.remove(folder, { recursive: true });
});
