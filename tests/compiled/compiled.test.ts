/** The executables in dist/, confined as in their images: they start, connect, resolve, and can do nothing else. */
import assert from "node:assert/strict";
import { RunnerView } from "../../control-plane/mod/views.ts";
import { startConfined, UID, whyNot } from "./confined.ts";

const reason = whyNot();
if (reason !== undefined) throw new Error(`Cannot test the executables confined: ${reason}; run it as root on Linux`);
const CANARY = "canary-31bf";
const base = { HEALTH_PORT: "0", HEALTH_HOST: "127.0.0.1" };

async function dataFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.chown(folder, UID, UID);
  return folder;
}

Deno.test("compiled: both programs find each other; without a cluster the runner says so in hello and readiness", async () => {
  const data = await dataFolder();
  const controlPlane = { program: "hybrid-control-plane" as const, writable: { "/data": data } };
  await using server = startConfined({
    ...controlPlane,
    args: ["serve", "--data", "/data", "--listen", "127.0.0.1:0", "--open-on-loopback"],
  });
  const [address = ""] = await server.seen(/http:\/\/127\.0\.0\.1:\d+/);
  const issue = startConfined({ ...controlPlane, args: ["token", "issue", "--agent", "compiled", "--data", "/data"] });
  assert.equal(await issue.ended(), 0, issue.text());
  await using runner = startConfined({
    program: "hybrid-runner",
    env: { ...base, AGENT_ID: "compiled", SERVER_URL: address.replace("http", "ws"), AUTH_TOKEN: issue.text().trim() },
  });
  const [, health = ""] = await runner.seen(/"runner\.started".*"address":"([^"]+)"/);
  await runner.seen(/session\.open/);
  const view = RunnerView.parse(await (await fetch(`${address}/api/v1/runners/compiled`)).json());
  assert.deepEqual([view.status, view.engine?.kind], ["Active", "none"]);
  assert.match(view.engine?.message ?? "", /there is no cluster/);
  const ready = await fetch(`${health}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /^engine: /);
  assert.equal(await (await fetch(`${health}/livez`)).text(), "ok\n");
  assert(!runner.text().includes(issue.text().trim()), "the token is in the output");
  assert.equal(await runner.terminate(), 0);
  assert.match(runner.text(), /runner\.stopped/);
  assert.equal(await server.terminate(), 0);
  await Deno.remove(data, { recursive: true });
});

Deno.test("compiled: the local engine needs to start processes, which this program cannot: it says so and stays", async () => {
  const data = await dataFolder();
  const link = { AGENT_ID: "a", SERVER_URL: "ws://127.0.0.1:9", AUTH_TOKEN: CANARY };
  const env = { ...base, ...link, EXECUTOR_TYPE: "local", HYBRID_RUNNER_STATE_DIR: "/data" };
  await using runner = startConfined({ program: "hybrid-runner", env, writable: { "/data": data } });
  await runner.seen(/"runner\.started".*"engine":"none"/);
  assert.equal(await runner.terminate(), 0);
  assert(!runner.text().includes(CANARY));
  await Deno.remove(data, { recursive: true });
});

Deno.test("compiled: resolve writes into /hybrid-runner only, and fails closed", async () => {
  const volume = await dataFolder(), elsewhere = await dataFolder();
  const run = async (env: Record<string, string>, out: string) => {
    await using resolve = startConfined({
      program: "hybrid-runner",
      args: ["resolve", "--document", "-", "--out", out],
      env: { SECRETS_MANAGER: "env", ...env },
      stdin: JSON.stringify({ password: "secret:/shop/password" }),
      writable: { "/hybrid-runner": volume, "/elsewhere": elsewhere },
    });
    const code = await resolve.ended();
    assert(!resolve.text().includes(CANARY), "the value is in the output");
    return { code, text: resolve.text() };
  };
  const value = { HYBRID_RUNNER_SECRET_SHOP_PASSWORD: CANARY };
  const good = await run(value, "/hybrid-runner/config");
  assert.equal(good.code, 0, good.text);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(`${volume}/config`)), { password: CANARY });
  const { mode, uid } = await Deno.stat(`${volume}/config`);
  assert.deepEqual([(mode ?? 0) & 0o777, uid], [0o440, UID]);
  const absent = await run({}, "/hybrid-runner/config");
  assert.equal(absent.code, 1, absent.text);
  assert.match(absent.text, /secret:\/shop\/password/);
  assert.deepEqual([...Deno.readDirSync(volume)], [], "an earlier result was left behind");
  assert.notEqual((await run(value, "/elsewhere/config")).code, 0);
  assert.deepEqual([...Deno.readDirSync(elsewhere)], []);
  for (const folder of [volume, elsewhere]) await Deno.remove(folder, { recursive: true });
});

Deno.test("compiled: resolve leaves its reason where the kubelet looks for it, and knows where the cluster is", async () => {
  const volume = await dataFolder();
  await using resolve = startConfined({
    program: "hybrid-runner",
    args: ["resolve", "--document", "-"],
    env: {
      HYBRID_RUNNER_TERMINATION_LOG: "/hybrid-runner/termination-log",
      KUBERNETES_SERVICE_HOST: "127.0.0.1",
      KUBERNETES_SERVICE_PORT: "1",
      SECRETS_NAMESPACE: "shop",
    },
    stdin: JSON.stringify({ password: "secret:/shop/password" }),
    writable: { "/hybrid-runner": volume },
  });
  assert.equal(await resolve.ended(), 1, resolve.text());
  const { code, message } = JSON.parse(await Deno.readTextFile(`${volume}/termination-log`));
  assert.equal(code, "unavailable");
  assert.match(
    message,
    /^Cannot read secret "secret:\/shop\/password" from kubernetes: .*automountServiceAccountToken/,
  );
  await Deno.remove(volume, { recursive: true });
});

Deno.test("compiled: a database that cannot be written is said in one sentence, and ends with 3", async () => {
  const data = await dataFolder();
  const serve = (args: string[], writable: Record<string, string>) =>
    startConfined({ program: "hybrid-control-plane", args: ["serve", "--listen", "127.0.0.1:0", ...args], writable });
  // Made while it could be written, then met on a read-only file system, and as somebody else's file.
  await using first = serve(["--data", "/data"], { "/data": data });
  await first.seen(/http:\/\/127\.0\.0\.1:\d+/);
  assert.equal(await first.terminate(), 0);
  await using readOnly = serve(["--data", "/app"], {});
  assert.equal(await readOnly.ended(), 3, readOnly.text());
  assert.match(readOnly.text(), /^Cannot .*\/app/);
  for await (const { name, isFile } of Deno.readDir(data)) if (isFile) await Deno.chown(`${data}/${name}`, 0, 0);
  await Deno.chown(data, 0, 0);
  await using foreign = serve(["--data", "/data"], { "/data": data });
  assert.equal(await foreign.ended(), 3, foreign.text());
  assert.match(foreign.text(), /^Cannot .*\/data/);
  await Deno.remove(data, { recursive: true });
});

Deno.test("compiled: the permissions are baked in, and no more than these", async () => {
  const binary = new URL("../../dist/hybrid-runner", import.meta.url).pathname;
  const { stdout } = await new Deno.Command("grep", { args: ["-aoE", `"permissions":\\{[^}]*\\}`, binary] }).output();
  const baked = new TextDecoder().decode(stdout);
  assert.match(baked, /"allow_write":\["\/hybrid-runner"\]/);
  assert.match(baked, /"deny_run":\[\]/);
  assert.match(baked, /"deny_ffi":\[\]/);
  assert(!/"allow_(run|ffi|all|sys)":(?!null|false)/.test(baked), baked);
});
