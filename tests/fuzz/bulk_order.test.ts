/** Bulk frames keep their order, however the link's backlog comes and goes while they wait. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Methods, TO_CONTROL_PLANE } from "../../mod/protocol/methods.ts";
import { createPeer } from "../../mod/protocol/peer.ts";
import { connectionPair, testClock, testLog } from "../fakes/pair.ts";
import { settled, within } from "../wait.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test({ name: "fuzz: log chunks never overtake one another (property)", ...safe }, async () => {
  /** What happens between two sends: the backlog is now so long, and so much time passes. */
  const step = fc.record({ backlog: fc.constantFrom(0, 1_000_000), ms: fc.constantFrom(0, 0, 1, 5, 20) });
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 20 }), keepsOrder), { numRuns: 200 });
});

async function keepsOrder(steps: { backlog: number; ms: number }[]): Promise<void> {
  const [near] = connectionPair();
  const clock = testClock();
  const over = new AbortController();
  const peer = createPeer<Methods, typeof TO_CONTROL_PLANE>({
    ...{ connection: near, incoming: {}, outgoing: TO_CONTROL_PLANE, handlers: {}, clock, log: testLog().log },
    ...{ signal: over.signal, frameBytes: 1 << 20 },
  });
  const running = peer.run();
  const requests = [];
  for (const [at, { backlog, ms }] of steps.entries()) {
    near.buffered = backlog;
    const chunk = { streamId: "s", cursor: String(at) };
    requests.push(peer.request("log.chunk", chunk, { signal: over.signal, timeoutMs: Infinity, bulk: true }));
    if (ms > 0) await clock.advance(ms);
    else await Promise.resolve();
  }
  near.buffered = 0;
  for (let round = 0; near.sent.length < steps.length && round < 1_000; round++) await clock.advance(5);
  near.close(1000, "done");
  await within("the end of the peer", running);
  await Promise.allSettled(requests);
  await settled();
  assert.deepEqual(near.sent.map((frame) => Number(JSON.parse(frame).params.cursor)), steps.map((_, at) => at));
}
