/** The processes of the local engine: their ends, their output, what they leave behind. */
import assert from "node:assert/strict";
import { isTerminal } from "../../mod/run.ts";
import { faults, inState, readLog, request, startNow, until } from "../contract/engine/harness.ts";
import { check, firstLine, gone, only } from "./local_check.ts";

const CANARY = "canary-7f3a-not-to-be-seen";

check("a command that does not exist says so", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
  const run = await inState(h, runId, "failed", signal);
  assert.equal(run.reason?.code, "CannotStart");
  assert.match(run.reason.message, /no-such-program/);
}, { commands: { default: { command: "/no-such-program", args: [] } } });

check("a type without a command, and without a default, is refused at the start", async (h, signal) => {
  const job = h.job({ does: "succeed" }, { type: "toString" });
  await h.engine.deploy(job, signal);
  await faults("unavailable", h.engine.start(request(job.pipelineId), signal));
});

check("a job killed by a signal says which", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
  const run = await inState(h, runId, "failed", signal);
  assert.equal(run.reason?.code, "Signal");
  assert.equal(run.diagnostics?.signal, "SIGKILL");
  assert.deepEqual(run.diagnostics?.lastLines, ["before"]);
}, only("echo before; kill -9 $$"));

check("what a job leaves behind in its group goes with it", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
  await inState(h, runId, "success", signal);
  const { lines } = await readLog(h, runId, { follow: true }, signal);
  await gone(h, Number(lines[0]), signal);
}, only("sleep 600 & echo $!"));

check("stop reaches children and grandchildren", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
  const pid = await firstLine(h, runId, signal);
  await h.engine.stop(runId, signal);
  await inState(h, runId, "stopped", signal);
  await gone(h, Number(pid), signal);
}, only(`sh -c 'trap "" TERM; sleep 600 & echo $!; wait; while :; do sleep 1; done'`));

check("a failed job is tried again as often as it asks", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "succeed" }, { retries: 2 }), signal);
  const run = await inState(h, runId, "failed", signal);
  assert.equal(run.diagnostics?.facts?.["attempts"], "3 of 3");
  const { lines } = await readLog(h, runId, { follow: true }, signal);
  assert.equal(lines.filter((line) => line === "try").length, 3);
}, only("echo try; exit 1"));

const LONG_LINES = `
  value() { sed 's/p: //;s/"//g' "$HYBRID_RUNNER_CONFIG" | tr -d '\\n'; }
  fill() { head -c $1 /dev/zero | tr '\\0' $2; }
  fill 700000 x; echo
  fill ${256 * 1024 - 47} y; value; fill 100000 z; echo
  fill ${256 * 1024 + 4096 - 10} y; value; fill 100000 z; echo
  printf '\\377(\\377\\r\\n'; printf 'no newline'`;

check("long lines are cut, odd bytes and a missing last newline are borne", async (h, signal) => {
  await Deno.writeTextFile(`${h.stateDir}/warehouse`, CANARY);
  const { runId } = await startNow(h, h.job({ does: "succeed" }, { document: "p: secret:/warehouse" }), signal);
  await inState(h, runId, "success", signal);
  const { lines } = await readLog(h, runId, { follow: true }, signal);
  assert.equal(lines.length, 5);
  for (const line of lines) assert(line.length <= 256 * 1024 && !line.includes("canary"), "cut, and without the value");
  assert.match(String(lines[0]).slice(-60), /^x+ \[cut: .*\]$/);
  assert.equal(lines[0]?.length, 256 * 1024);
  assert.match(String(lines[1]).slice(-60), /^y+\*\*\*z+ \[cut/, "the value at the limit");
  assert.match(String(lines[2]).slice(-60), /^y+ \[cut/, "the value at the end of what is held");
  assert.deepEqual(lines.slice(3), ["\ufffd(\ufffd", "no newline"]);
}, only(LONG_LINES));

check("a hundred megabytes of log cost no memory", async (h, signal) => {
  const { runId } = await startNow(h, h.job({ does: "succeed" }), signal);
  await until({ ...h, patienceMs: 60_000 }, "the job is done", async () => {
    return isTerminal((await h.engine.find(runId, signal))?.state ?? "queued");
  }, signal);
  let bytes = 0, highest = 0;
  const before = Deno.memoryUsage();
  for await (const piece of h.engine.logs(runId, { follow: true }, signal)) {
    if (piece.kind !== "lines") continue;
    bytes += piece.lines.reduce((sum, line) => sum + line.length + 1, 0);
    highest = Math.max(highest, Deno.memoryUsage().external - before.external);
  }
  assert.equal(bytes, 100 * 1024 * 1024);
  assert(highest < 20 * 1024 * 1024, `${highest} bytes more`);
}, only("yes 012345678901234567890123456789012345678901234567890123456789abc | head -c 104857600"));
