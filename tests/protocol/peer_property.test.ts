/** Generated and mutated frames against a peer with the protocol's own tables. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { Fault } from "../../mod/fault.ts";
import { type Methods, TO_CONTROL_PLANE, TO_RUNNER } from "../../mod/protocol/methods.ts";
import { readFrame } from "../../mod/protocol/frame.ts";
import { createPeer } from "../../mod/protocol/peer.ts";
import { connectionPair, testClock, testLog } from "../fakes/pair.ts";
import { settled, within } from "../wait.ts";
import { recordedFrames } from "./recorded.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const recorded = recordedFrames().map(({ frame }) => JSON.stringify(frame));

/** A recorded frame with a few characters replaced, cut out or put in. */
const mutated = fc.tuple(
  fc.constantFrom(...recorded),
  fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(8), fc.string({ maxLength: 4 })), {
    maxLength: 4,
  }),
).map(([text, edits]) =>
  edits.reduce((text, [where, cut, put]) => {
    const at = Math.floor(where * text.length);
    return text.slice(0, at) + put + text.slice(at + cut);
  }, text)
);

/** An object that has the members of a frame, with anything in them. */
const shaped = fc.record({
  jsonrpc: fc.constantFrom("2.0", "1.0", 2),
  id: fc.oneof(fc.nat(), fc.string(), fc.constant(null), fc.jsonValue()),
  method: fc.oneof(fc.constantFrom(...Object.keys(TO_RUNNER), ...Object.keys(TO_CONTROL_PLANE)), fc.jsonValue()),
  params: fc.jsonValue(),
  result: fc.jsonValue(),
  error: fc.jsonValue(),
}, { requiredKeys: [] }).map((frame) => JSON.stringify(frame));

for (const [side, incoming] of Object.entries({ runner: TO_RUNNER, "control plane": TO_CONTROL_PLANE })) {
  Deno.test({ name: `peer: nothing that a ${side} may hear breaks it (property)`, ...safe }, async () => {
    const frames = fc.array(fc.oneof(mutated, shaped, fc.json(), fc.string()), { maxLength: 40 });
    await fc.assert(fc.asyncProperty(frames, (frames) => holds(incoming, frames)), { numRuns: 150 });
  });
}

/** Every request with an id has exactly one answer, every answer is well formed, and the peer still lives. */
async function holds(incoming: Methods, frames: string[]): Promise<void> {
  const [near] = connectionPair();
  const refuse = () => Promise.reject(new Fault("unavailable", "Cannot do it: not here"));
  const peer = createPeer<Methods, Methods>({
    connection: near,
    incoming,
    outgoing: {},
    handlers: Object.fromEntries(Object.keys(incoming).map((method) => [method, refuse])),
    clock: testClock(),
    log: testLog().log,
    signal: new AbortController().signal,
    frameBytes: 1024 * 1024,
  });
  const running = peer.run();
  for (const frame of frames) near.receive(frame);
  near.receive('{"jsonrpc":"2.0","id":"last","method":"no.such"}');
  await settled();
  const wanted = frames.filter((text) => {
    const read = readFrame(text);
    return read.kind === "malformed" || (read.kind === "request" && read.id !== undefined);
  });
  assert.equal(near.sent.length, wanted.length + 1);
  for (const answer of near.sent) assert.equal(readFrame(answer).kind, "error");
  assert.ok(near.sent.some((answer) => JSON.parse(answer).id === "last"));
  near.close(1000, "done");
  await within("the end of the peer", running);
}
