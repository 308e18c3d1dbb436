/**
 * What the runner costs the API server, counted on the wire between them: the writes of each kind of run against the
 * budget of the design, nothing at all asked while runs go on, and of Secrets nothing but their creation.
 */
import assert from "node:assert/strict";
import { createClusterAccess } from "../../../adapters/cluster/access.ts";
import { systemClock } from "../../../adapters/clock.ts";
import { pause } from "../../wait.ts";
import { type ApiProxy, startApiProxy } from "../journey/api_proxy.ts";
import { jobOf, openRunner, requestOf, scriptRow, type TestRunner } from "../pods/runner.ts";
import { worlds } from "../pods/worlds.ts";
import type { World } from "../world.ts";

const never = new AbortController().signal;
const IDLE_SECONDS = 30;
const LIVE = 5;

/** One kind of run, from its command to its acknowledgement. */
interface Case {
  what: string;
  /** How many writes it may take. */
  budget: { kubernetes: number; argo: number };
  act(runner: TestRunner, impatient: TestRunner): Promise<unknown>;
}

const both = (writes: number) => ({ kubernetes: writes, argo: writes });
const deployed = (runner: TestRunner, type: string) => {
  const runId = crypto.randomUUID();
  return runner.engine.start(requestOf(runId, `pipeline-${type}`), never).then(() => runId);
};
const isRunning = (runner: TestRunner, runId: string) =>
  runner.heard(runId, "start", ({ state, reason }) => state === "running" && reason === undefined);
async function told(runner: TestRunner, runId: string, state: string): Promise<void> {
  const { run } = await runner.end(runId);
  assert.equal(run.state, state, JSON.stringify(run));
  await runner.engine.acknowledge(runId, never);
}

const CASES: readonly Case[] = [
  {
    what: "a deployed pipeline's run",
    budget: both(2),
    act: async (runner) => await told(runner, await deployed(runner, "quick"), "success"),
  },
  {
    what: "with a document of its own",
    budget: both(3),
    act: async (runner) => await told(runner, await runner.run(jobOf("quick")), "success"),
  },
  {
    what: "with a secret resolved",
    budget: both(3),
    act: async (runner) =>
      await told(runner, await runner.run(jobOf("quick", { document: "password: secret:/shop/db" })), "success"),
  },
  {
    what: "that fails twice",
    budget: both(2),
    act: async (runner) => await told(runner, await deployed(runner, "failing"), "failed"),
  },
  {
    what: "that waits for another (both)",
    budget: { kubernetes: 5, argo: 4 },
    async act(runner) {
      const first = await deployed(runner, "alone");
      const second = await deployed(runner, "alone");
      await told(runner, first, "success");
      await told(runner, second, "success");
    },
  },
  {
    what: "stopped while it runs",
    budget: { kubernetes: 4, argo: 3 },
    async act(runner) {
      const runId = await deployed(runner, "sleeping");
      await isRunning(runner, runId);
      await runner.engine.stop(runId, never);
      await told(runner, runId, "stopped");
    },
  },
  {
    what: "stopped while it waits (both)",
    budget: { kubernetes: 5, argo: 5 },
    async act(runner) {
      const first = await deployed(runner, "alone");
      const second = await deployed(runner, "alone");
      await runner.engine.stop(second, never);
      await told(runner, second, "stopped");
      await told(runner, first, "success");
    },
  },
  {
    what: "that never starts, ended by us",
    budget: both(4),
    act: async (_, impatient) => await told(impatient, await impatient.run(jobOf("unschedulable")), "failed"),
  },
];

worlds("cost: writes per run, and nothing while runs go on", { seconds: 170 }, async (world) => {
  await world.createSecret("shop-db", { value: "x" });
  await using proxy = await startApiProxy(world.config);
  const access = createClusterAccess({ ...world.config, server: proxy.address, tls: () => Promise.resolve({}) }, {
    ...{ clock: systemClock, log: () => {}, random: { float: Math.random } },
  });
  const rows = {
    quick: scriptRow("true"),
    failing: scriptRow("exit 3"),
    alone: scriptRow("sleep 2"),
    sleeping: scriptRow("trap 'exit 143' TERM; sleep 300 & wait"),
    unschedulable: scriptRow("true", { resources: { requests: { cpu: "1000" }, limits: { cpu: "1000" } } }),
  };
  const runner = await openRunner(world, { rows, access });
  const impatient = await openRunner(world, { rows, access, env: { HYBRID_RUNNER_START_DEADLINE_SECONDS: "5" } });
  const lines: string[] = [];
  try {
    await Promise.all([runner.listed, impatient.listed]);
    const deploys = await spent(proxy, async () => {
      for (const type of Object.keys(rows)) {
        const more = {
          ...type === "failing" ? { retries: 1 } : {},
          ...type === "alone" ? { maxActiveRuns: 1 as const } : {},
        };
        await runner.engine.deploy(jobOf(type, { ...more, schedule: "@yearly" }), never);
      }
    });
    lines.push(row("a deploy with a schedule", Object.keys(rows).length, deploys, 4));
    // One after the other: each is to be seen alone.
    for (const { what, budget, act } of CASES) {
      const bill = await spent(proxy, () => act(runner, impatient));
      lines.push(row(what, 1, bill, budget[world.engine]));
      assert.ok(bill.writes.length <= budget[world.engine], `${what}: ${bill.writes}`);
    }
    lines.push(await idle(proxy, runner));
    const asked = Object.keys(proxy.counts());
    assert.deepEqual(asked.filter((what) => what.endsWith(" secrets")), ["create secrets"]);
  } finally {
    await Promise.all([runner.close(), impatient.close()]);
    access.close();
    report(world, lines);
  }
});

/** Runs go on, and nobody needs to ask. */
async function idle(proxy: ApiProxy, runner: TestRunner): Promise<string> {
  const runIds = await Promise.all(Array.from({ length: LIVE }, () => deployed(runner, "sleeping")));
  await Promise.all(runIds.map((runId) => isRunning(runner, runId)));
  await pause(2000);
  const { requests } = await spent(proxy, () => pause(IDLE_SECONDS * 1000));
  const others = Object.keys(requests).filter((what) => !what.startsWith("watch "));
  assert.deepEqual(others, [], "nothing is polled");
  assert.ok((requests["watch pods"] ?? 0) <= 2, "watches stay open");
  await Promise.all(runIds.map((runId) => runner.engine.stop(runId, never)));
  return `${IDLE_SECONDS} idle seconds with ${LIVE} live runs`.padEnd(42) + listed(requests);
}

interface Bill {
  writes: string[];
  requests: Record<string, number>;
}

/** What the work asked of the API server. */
async function spent(proxy: ApiProxy, work: () => Promise<unknown>): Promise<Bill> {
  const before = structuredClone(proxy.counts()), written = proxy.writes.length;
  await work();
  const requests = Object.entries(proxy.counts()).map(([what, { requests }]): [string, number] => [
    what,
    requests - (before[what]?.requests ?? 0),
  ]);
  return { writes: proxy.writes.slice(written), requests: Object.fromEntries(requests.filter(([, n]) => n > 0)) };
}

function row(what: string, times: number, { writes, requests }: Bill, budget: number): string {
  return `${what.padEnd(34)}${`${writes.length / times} of ${budget}`.padEnd(8)}${listed(requests)}`;
}

function listed(requests: Record<string, number>): string {
  return Object.entries(requests).map(([what, times]) => times === 1 ? what : `${times} ${what}`).join(", ") ||
    "nothing";
}

function report({ engine }: World, lines: readonly string[]): void {
  // deno-lint-ignore no-console
  console.log([`${engine}: writes of their budget, and all requests`, ...lines].join("\n  "));
}
