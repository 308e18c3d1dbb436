/**
 * From the frame to the engine: the time from `send` of a `pipeline.run` at the control plane's end to the call of the
 * engine's `start`, over a real WebSocket on loopback. Beside it a bare WebSocket that echoes the same frame.
 */
import { systemClock } from "../adapters/clock.ts";
import { createMemoryEngine } from "../adapters/engine/memory.ts";
import type { Engine } from "../mod/ports.ts";
import { requestFrame } from "../mod/protocol/frame.ts";
import { quantiles, say, verdict } from "./figures.ts";
import { listen } from "./listening.ts";
import { runRunner } from "./runner.ts";

const WARM_UP = 500;
const COUNT = 2_000;
const GOAL_MS = 5;

/** Prints the table. */
export async function bench(): Promise<void> {
  const engineMs = quantiles(await timesToEngine());
  const echoMs = quantiles(await echoTimes());
  const show = (ms: number) => ms.toFixed(2);
  say("", "bare echo", "this runner", "ratio", "goal");
  say("frame to engine call, p50, ms", show(echoMs.p50), show(engineMs.p50), show(engineMs.p50 / echoMs.p50));
  say(
    "frame to engine call, p99, ms",
    ...[show(echoMs.p99), show(engineMs.p99), show(engineMs.p99 / echoMs.p99)],
    verdict(engineMs.p99 <= GOAL_MS, `≤ ${GOAL_MS} ms`),
  );
}

async function timesToEngine(): Promise<number[]> {
  const inner = createMemoryEngine({ clock: systemClock });
  let called = Promise.withResolvers<number>();
  const engine: Engine = {
    ...inner,
    start: (request, signal) => {
      called.resolve(performance.now());
      return inner.start(request, signal);
    },
  };
  const stopping = new AbortController();
  await using server = listen();
  const running = runRunner(server.url, engine, stopping.signal);
  const socket = await server.connected;
  try {
    return await timed(async (at) => {
      called = Promise.withResolvers();
      const answered = server.answer(at);
      const began = performance.now();
      socket.send(runFrame(at));
      const took = await called.promise - began;
      await answered;
      return took;
    });
  } finally {
    stopping.abort();
    await running;
    await inner.close();
  }
}

async function echoTimes(): Promise<number[]> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
  const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}`);
  await new Promise((resolve) => socket.onopen = resolve);
  try {
    return await timed(async (at) => {
      const frame = runFrame(at);
      const back = new Promise((resolve) => socket.onmessage = resolve);
      const began = performance.now();
      socket.send(frame);
      await back;
      return performance.now() - began;
    });
  } finally {
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
    await server.shutdown();
  }
}

/** One after the other; the first ones do not count. */
async function timed(one: (at: number) => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < WARM_UP + COUNT; at++) {
    const took = await one(at);
    if (at >= WARM_UP) times.push(took);
  }
  return times;
}

/** A run of its own pipeline, with a document as long as a small one is. */
function runFrame(at: number): string {
  const pipelineId = `pipeline-${at}`;
  const document = JSON.stringify({
    source: { type: "postgres", serviceName: "shop", password: "secret:/shop/password" },
  });
  const job = { kind: "pipeline", pipelineId, name: "shop", type: "metadata", revision: 1, document, enabled: true };
  const notAfter = new Date(Date.now() + 600_000).toISOString();
  const params = { runId: crypto.randomUUID(), pipelineId, notAfter, job: { ...job, maxActiveRuns: 1 } };
  return requestFrame(at, "pipeline.run", params);
}

if (import.meta.main) await bench();
