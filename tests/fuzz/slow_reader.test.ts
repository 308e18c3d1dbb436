/** A reader of 100 MB of log that is slow and then stops: the runner's memory stays flat, and nothing else waits for it. */
import assert from "node:assert/strict";
import { logBytes } from "../../mod/protocol/log_size.ts";
import { isTerminal } from "../../mod/run.ts";
import { startControlPlane } from "../fakes/control_plane.ts";
import { runnerOn } from "../journeys/programs.ts";
import { pause, until } from "../wait.ts";
import { complaintsIn } from "./complaints.ts";
import { residentMib } from "./memory.ts";
import { say } from "./telling.ts";

const LOG_MB = 100;
const LINE = `2026-03-01 12:00:00,000 INFO  metadata.ingestion - table shop.public.orders: 42 columns, all well ${
  "-".repeat(30)
}`;
const READ_MS = 10_000, STUCK_MS = 10_000;
const BYTES_PER_SECOND = 1_000_000;
const GROWTH_MIB = 20;
const CANARIES = 20;

Deno.test({
  name: "a slow log reader costs the runner no memory and delays no status",
  ...{ sanitizeOps: true, sanitizeResources: true, sanitizeExit: true },
}, async () => {
  const folder = await Deno.makeTempDir({ prefix: "slow-reader-" });
  const terminal = new Map<string, number>();
  let pace: "free" | "slow" | "stuck" = "free", taken = 0;
  const letGo = Promise.withResolvers<void>();
  await using fake = startControlPlane({
    handlers: {
      "run.status": ({ runId, state }) => {
        if (isTerminal(state) && !terminal.has(runId)) terminal.set(runId, performance.now());
        return Promise.resolve({});
      },
      "log.chunk": async ({ lines = [] }) => {
        const credit = logBytes(lines);
        taken += credit;
        if (pace === "slow") await Promise.race([turn(credit), letGo.promise]);
        if (pace === "stuck") await letGo.promise;
        return { credit };
      },
    },
  });
  // One reader: what is to be read waits for what is before it.
  let reading: Promise<void> = Promise.resolve();
  const turn = (bytes: number) => (reading = reading.then(() => pause(bytes * 1000 / BYTES_PER_SECOND)));

  const job = `${folder}/job.sh`;
  await Deno.writeTextFile(job, `[ "$1" = big ] && yes "${LINE}" | head -c ${LOG_MB * 1_000_000} || echo done\n`);
  await Deno.writeTextFile(`${folder}/settings.local.yaml`, settingsOf(job));
  const runner = await runnerOn({
    ...{ agentId: "slow", port: fake.port, folder, token: `${btoa("{}")}.${btoa("{}")}.x` },
    env: {
      HYBRID_RUNNER_SETTINGS: `${folder}/settings.local.yaml`,
      // As the executable has them baked in.
      DENO_V8_FLAGS: "--max-semi-space-size=2,--max-old-space-size=96",
    },
  });
  try {
    await runner.start();
    const { pid } = runner.program();
    const memory = sampler(() => residentMib(pid));

    const big = await start("big");
    await until("the end of the big job", () => terminal.has(big), { patienceMs: 120_000 });
    const small = await start("small");
    await fake.request("log.open", { streamId: "small", runId: small, follow: true, window: 1 << 20 });
    await until("the end of the small log", () => fake.chunks.length > 0 || taken > 0);
    const free = await delays();
    const idle = await memory.highest(1_000);

    pace = "slow";
    taken = 0;
    await fake.request("log.open", { streamId: "big", runId: big, follow: true, window: 1 << 20 });
    const whileSlow = await memory.highest(READ_MS);
    const read = taken;
    assert.ok(read > 4_000_000, `the reader has read on: ${read} bytes`);
    pace = "stuck";
    const [stuck, whileStuck] = await Promise.all([delays(), memory.highest(STUCK_MS)]);
    const shown = `idle ${idle.toFixed(0)} MiB, reading 1 MB/s ${whileSlow.toFixed(0)} MiB, stuck ${
      whileStuck.toFixed(0)
    } MiB`;
    say(`slow reader: RSS ${shown}; ${(read / 1e6).toFixed(1)} MB read in ${READ_MS / 1000} s`);
    say(
      `slow reader: command to terminal status of ${CANARIES} canaries: ${told(free)} before, ${told(stuck)} beside it`,
    );
    assert.ok(Math.max(whileSlow, whileStuck) - idle <= GROWTH_MIB, shown);
    assert.ok(taken - read <= 4 << 20, `no more than a window is sent to a reader that stopped: ${taken - read} bytes`);

    // The stream ends by its reader's word, and the session was never lost.
    await fake.request("log.close", { streamId: "big" });
    letGo.resolve();
    assert.equal(fake.sessions.length, 1);
    assert.deepEqual(complaintsIn(runner.output()), []);
  } finally {
    letGo.resolve();
    await runner.program().kill();
    await reading;
    await Deno.remove(folder, { recursive: true });
  }

  async function start(type: string): Promise<string> {
    const runId = crypto.randomUUID();
    await fake.request("automation.run", {
      ...{ runId, notAfter: inTenMinutes() },
      job: {
        ...{ kind: "automation", pipelineId: type, name: type, type, revision: 1, document: "{}" },
        ...{ enabled: true, maxActiveRuns: "unlimited" },
      },
    });
    return runId;
  }

  /** Milliseconds from the command to the terminal status, one canary after the other. */
  async function delays(): Promise<number[]> {
    const all: number[] = [];
    for (let at = 0; at < CANARIES; at++) {
      const runId = crypto.randomUUID();
      const began = performance.now();
      await fake.request("canary.run", { runId, notAfter: inTenMinutes() });
      await until("the canary's end", () => terminal.has(runId), { lookMs: 2 });
      all.push((terminal.get(runId) ?? NaN) - began);
    }
    return all.toSorted((a, b) => a - b);
  }
});

function inTenMinutes(): string {
  return new Date(Date.now() + 600_000).toISOString();
}

function settingsOf(job: string): string {
  const command = (name: string) => `    ${name}: { command: /bin/sh, args: [${JSON.stringify(job)}, ${name}] }\n`;
  return `local:\n  commands:\n${command("big")}${command("small")}`;
}

/** The highest of many looks within some time. */
function sampler(look: () => Promise<number>): { highest(ms: number): Promise<number> } {
  return {
    async highest(ms) {
      let most = 0;
      for (const end = performance.now() + ms; performance.now() < end; await pause(100)) {
        most = Math.max(most, await look());
      }
      return most;
    },
  };
}

function told(sorted: number[]): string {
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]?.toFixed(0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}
