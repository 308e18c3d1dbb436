/** The local engine killed at any point. */
import assert from "node:assert/strict";
import { ended, everything, inState, readLog, request, startNow, until, watch } from "../contract/engine/harness.ts";
import { check, firstLine, gone, only } from "./local_check.ts";
import { makeLocalHarness } from "./local_harness.ts";

check("a wrapper killed with -9 ends its run as lost, and its job with it", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "succeed" }, { document: "a: 1" }), signal);
  const [job, wrapper, path] = (await firstLine(h, runId, signal)).split(" ");
  const next = await h.engine.start(request("pipeline"), signal);
  Deno.kill(Number(wrapper), "SIGKILL");
  const run = await inState(h, runId, "failed", signal);
  assert.equal(run.reason?.code, "Lost");
  await gone(h, Number(job), signal);
  await until(h, "its document is gone", () => Deno.stat(String(path)).then(() => false, () => true), signal);
  await inState(h, next.runId, "running", signal);
}, only('echo "$$ $(ps -o ppid= -p $$ | tr -d " ") $HYBRID_RUNNER_CONFIG"; sleep 600'));

check("a stop that was asked before the wrapper was lost still counts", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "ignore-term" }), signal);
  await inState(h, runId, "running", signal);
  const folder = h.runFolder(runId);
  await h.engine.stop(runId, signal);
  await h.restart();
  await inState(h, runId, "stopped", signal);
  assert.equal(await Deno.readTextFile(`${folder}/ended-by`), "stop");
});

check("every point of a crash heals", async (h, signal) => {
  // Folders as a crash would leave them, made of a real one.
  const waiting = h.job({ does: "succeed", lines: 1 }, { maxActiveRuns: "unlimited" });
  const model = await startNow(h, waiting, signal);
  await ended(h, model.runId, signal);
  const text = await Deno.readTextFile(`${h.runFolder(model.runId)}/run.json`);
  const plant = async (files: Record<string, string>) => {
    const runId = crypto.randomUUID();
    await Deno.mkdir(h.runFolder(runId));
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeTextFile(`${h.runFolder(runId)}/${name}`, content);
    }
    await Deno.writeTextFile(`${h.runFolder(runId)}/run.json`, text.replaceAll(model.runId, runId));
    return runId;
  };
  const started = JSON.stringify({ started: new Date().toISOString() });
  const planted: [files: Record<string, string>, state: string, code: string | undefined][] = [
    [{}, "success", undefined],
    [{ lock: "" }, "success", undefined],
    [{ "ended-by": "stop" }, "stopped", "Stopped"],
    [{ "ended-by": "stop", started: "" }, "stopped", "Stopped"],
    [{ started: "" }, "failed", "Lost"],
    [{ lock: "", started: "", "running.json": started }, "failed", "Lost"],
    [{ lock: "", started: "", "running.json": started, "ended-by": "stop" }, "stopped", "Stopped"],
    [{ lock: "", started: "", "running.json": started, "ended-by": "deadline" }, "failed", "Lost"],
    [{ "run.json.tmp-1": "{", "ended.json.tmp-2": "{" }, "success", undefined],
  ];
  await h.engine.close();
  const ids = [];
  for (const [files] of planted) ids.push(await plant(files));
  // A run that was never whole is no run.
  await Deno.mkdir(`${h.runFolder(model.runId)}/../.draft-1`);
  await h.restart();
  for (const [at, [files, state, code]] of planted.entries()) {
    const run = await ended(h, ids[at] ?? "", signal);
    assert.deepEqual([run.state, run.reason?.code], [state, code], JSON.stringify(files));
  }
  assert.equal((await everything(h, signal)).length, planted.length + 1);
});

check("one run that cannot be read does not hide the others", async (h, signal) => {
  const w = watch(h, signal);
  const bad = await startNow(h, h.job({ does: "succeed" }), signal);
  await ended(h, bad.runId, signal);
  await h.engine.close();
  await Deno.writeTextFile(`${h.runFolder(bad.runId)}/run.json`, "{ torn");
  await h.restart();
  const good = await h.engine.start(request("pipeline"), signal);
  const again = watch(h, signal);
  await until(h, "the end is told", () => again.of(good.runId).some((run) => run.state === "success"), signal);
  assert(h.logged.some((line) => line.includes("run-unreadable")), h.logged.join("\n"));
  await Promise.all([w.stop(), again.stop()]);
});

check("a wrapper that cannot start ends the run, with what it said", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
  for (let at = 0; at < 3; at++) {
    await h.engine.health(signal);
    await until(
      h,
      "it was tried",
      () => Deno.readTextFile(`${h.runFolder(runId)}/wrapper.err`).then((text) => text || undefined, () => undefined),
      signal,
    );
    h.clock.advance(16_000);
    await h.engine.health(signal);
  }
  const run = await inState(h, runId, "failed", signal);
  assert.equal(run.reason?.code, "WrapperFailed");
  assert.match(run.reason.message, /no-such-wrapper/);
}, { wrapperPath: "/no-such-wrapper.ts" });

Deno.test({
  name: "local engine: a runner killed with -9 leaves its runs running, and the next one finds them",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    const h = await makeLocalHarness();
    const signal = AbortSignal.timeout(60_000);
    try {
      const job = h.job({ does: "print", lines: 6, everyMs: 500 });
      await h.engine.deploy(job, signal);
      const { runId } = request(job.pipelineId);
      await h.engine.close();
      const runner = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-A", new URL("./local_victim.ts", import.meta.url).href, h.stateDir, runId],
        stdin: "null",
        stdout: "piped",
      }).spawn();
      const reader = runner.stdout.pipeThrough(new TextDecoderStream()).getReader();
      assert.match(String((await reader.read()).value), /running/);
      runner.kill("SIGKILL");
      await runner.status;
      await reader.cancel();
      await h.restart();
      assert.equal((await h.engine.find(runId, signal))?.state, "running");
      const { lines } = await readLog(h, runId, { follow: true }, signal);
      assert.deepEqual(lines, ["line 1", "line 2", "line 3", "line 4", "line 5", "line 6"]);
      await inState(h, runId, "success", signal);
      assert.equal((await everything(h, signal)).length, 1);
    } finally {
      await h.close();
    }
  },
});
