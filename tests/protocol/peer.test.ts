/** The peer over an in-memory link: what both programs rely on, one test per promise. */
import assert from "node:assert/strict";
import * as z from "zod/mini";
import { Fault, isFault } from "../../mod/fault.ts";
import { createPeer, type Handlers, type Peer } from "../../mod/protocol/peer.ts";
import { connectionPair, type TestClock, testClock, type TestConnection, testLog } from "../fakes/pair.ts";
import { settled, within } from "../wait.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const KIB = 1024;

const METHODS = {
  echo: { params: z.object({ text: z.string() }), result: z.object({ text: z.string() }) },
  slow: { params: z.object({}), result: z.object({}) },
  fails: { params: z.object({ how: z.string() }), result: z.object({}) },
} as const;
type Table = typeof METHODS;

interface World {
  near: TestConnection;
  far: TestConnection;
  peer: Peer<Table>;
  clock: TestClock;
  events: string[];
  stop: AbortController;
  /** Texts that `echo` was called with, in order. */
  echoed: string[];
  release(): void;
}

/** A peer that is asked from `far`, and asks through `peer`; closed and drained at the end, whatever happened. */
function withPeer(
  body: (world: World) => Promise<void>,
  options: { maxInHand?: number; frameBytes?: number } = {},
): () => Promise<void> {
  return async () => {
    const [near, far] = connectionPair();
    const clock = testClock(), { log, events } = testLog(), stop = new AbortController();
    const gate = Promise.withResolvers<void>(), echoed: string[] = [];
    const handlers: Handlers<Table> = {
      echo: ({ text }) => {
        echoed.push(text);
        return Promise.resolve({ text });
      },
      slow: () => gate.promise.then(() => ({})),
      fails: ({ how }) => {
        if (how === "fault") throw new Fault("denied", "Cannot do it: a rule says no", { rule: "r1" });
        if (how === "defect") throw new TypeError("x is not a function");
        return Promise.reject(new Fault("not_found", "Cannot find it: gone", { cause: new Error("canary") }));
      },
    };
    const peer = createPeer<Table, Table>({
      connection: near,
      incoming: METHODS,
      outgoing: METHODS,
      handlers,
      clock,
      log,
      signal: stop.signal,
      frameBytes: 64 * KIB,
      ...options,
    });
    const running = peer.run();
    try {
      await within(
        "the end of the test",
        body({ near, far, peer, clock, events, stop, echoed, release: gate.resolve }),
      );
    } finally {
      gate.resolve();
      near.close(1000, "the test is over");
      await within("the end of the peer", running);
    }
  };
}

const call = (id: unknown, method: string, params: unknown = {}) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });
const answers = (world: World) => world.near.sent.map((text) => JSON.parse(text));
const ends = (world: World) => within("the close", world.near.closed);
const isCode = (code: Fault["code"]) => (error: unknown) => isFault(error, code);
const asked = (world: World) => ({ signal: world.stop.signal });

const TESTS: Record<string, () => Promise<void>> = {
  "requests run at the same time, and each gets its own answer": withPeer(async (world) => {
    const asks = ["a", "b", "c"].map((text) => world.peer.request("echo", { text }, asked(world)));
    assert.equal(world.peer.waiting(), 3);
    for (const text of world.near.sent.toReversed()) {
      const { id, params } = JSON.parse(text);
      world.near.receive(JSON.stringify({ jsonrpc: "2.0", id, result: params }));
    }
    assert.deepEqual(await Promise.all(asks), [{ text: "a" }, { text: "b" }, { text: "c" }]);
    assert.equal(world.peer.waiting(), 0);
  }),

  "a slow handler holds up nobody": withPeer(async (world) => {
    world.near.receive(call(1, "slow"));
    world.near.receive(call(2, "echo", { text: "x" }));
    await settled();
    assert.deepEqual(answers(world).map(({ id }) => id), [2]);
    world.release();
    await settled();
    assert.deepEqual(answers(world).map(({ id }) => id), [2, 1]);
  }),

  "handlers are called in the order of the frames": withPeer(async (world) => {
    const texts = Array.from({ length: 50 }, (_, index) => String(index));
    for (const text of texts) world.near.receive(call(text, "echo", { text }));
    await settled();
    assert.deepEqual(world.echoed, texts);
  }),

  "a handler's fault is the answer, without its cause": withPeer(async (world) => {
    world.near.receive(call(1, "fails", { how: "fault" }));
    world.near.receive(call(2, "fails", { how: "rejects" }));
    await settled();
    assert.deepEqual(answers(world).map(({ error }) => [error.code, error.data]), [[-32001, { rule: "r1" }], [
      -32002,
      {},
    ]]);
    assert.equal(JSON.stringify(world.near.sent).includes("canary"), false);
  }),

  "a handler's defect is answered as internal, told in the log, and stops nothing": withPeer(async (world) => {
    world.near.receive(call(1, "fails", { how: "defect" }));
    world.near.receive(call(2, "echo", { text: "x" }));
    await settled();
    assert.deepEqual(answers(world).map(({ error, result }) => error?.code ?? result), [-32603, { text: "x" }]);
    assert.deepEqual(world.events, ["peer.handler_failed"]);
  }),

  "an unknown method is answered method not found, also one that every object has": withPeer(async (world) => {
    for (const method of ["paint", "toString", "__proto__", "constructor"]) world.near.receive(call(method, method));
    await settled();
    assert.deepEqual(answers(world).map(({ error }) => error.code), [-32601, -32601, -32601, -32601]);
  }),

  "bad parameters are answered invalid with their path, and never repeated back": withPeer(async (world) => {
    world.near.receive(call(1, "echo", { text: { canary: "canary-value" } }));
    world.near.receive(call(2, "echo", ["by position"]));
    await settled();
    const [first, second] = answers(world);
    assert.deepEqual([first.error.code, first.error.data.path, second.error.code], [-32602, "text", -32602]);
    assert.equal(JSON.stringify(first).includes("canary-value"), false);
  }),

  "a notification is carried out and never answered, not even with an error": withPeer(async (world) => {
    for (
      const [method, params] of [["echo", { text: "x" }], ["echo", {}], ["paint", {}], ["fails", { how: "defect" }]]
    ) {
      world.near.receive(JSON.stringify({ jsonrpc: "2.0", method, params }));
    }
    await settled();
    assert.deepEqual([world.echoed, world.near.sent], [["x"], []]);
  }),

  "beyond maxInHand the answer is busy, and a place that is free again is given away": withPeer(async (world) => {
    for (const id of [1, 2, 3]) world.near.receive(call(id, "slow"));
    await settled();
    assert.deepEqual(answers(world).map(({ id, error }) => [id, error.code, error.data]), [[3, -32004, {
      retryAfterSeconds: 1,
    }]]);
    world.release();
    await settled();
    world.near.receive(call(4, "echo", { text: "x" }));
    await settled();
    assert.deepEqual(answers(world).at(-1)?.result, { text: "x" });
  }, { maxInHand: 2 }),

  "an abort ends the wait with the signal's own reason, and the late answer is ignored": withPeer(async (world) => {
    const abort = new AbortController(), reason = new Error("enough");
    const ask = world.peer.request("echo", { text: "x" }, { signal: abort.signal });
    abort.abort(reason);
    await assert.rejects(ask, (error) => error === reason);
    world.near.receive('{"jsonrpc":"2.0","id":1,"result":{"text":"x"}}');
    await settled();
    assert.deepEqual([world.peer.waiting(), world.events], [0, ["peer.unexpected_answer"]]);
    await assert.rejects(
      world.peer.request("echo", { text: "y" }, { signal: abort.signal }),
      (error) => error === reason,
    );
    assert.equal(world.near.sent.length, 1, "nothing is sent for a signal that has aborted");
  }),

  "no answer in time is unavailable; the clock is the one that was given": withPeer(async (world) => {
    const ask = world.peer.request("echo", { text: "x" }, { ...asked(world), timeoutMs: 500 });
    const failure = assert.rejects(ask, isCode("unavailable"));
    await world.clock.advance(499);
    assert.equal(world.peer.waiting(), 1);
    await world.clock.advance(1);
    await failure;
    assert.deepEqual([world.peer.waiting(), world.clock.sleepers()], [0, 0]);
  }),

  "an answer leaves no timer behind, and Infinity makes none": withPeer(async (world) => {
    const asks = [
      world.peer.request("echo", { text: "x" }, asked(world)),
      world.peer.request("echo", { text: "x" }, { ...asked(world), timeoutMs: Infinity }),
    ];
    assert.equal(world.clock.sleepers(), 1);
    for (const id of [1, 2]) world.near.receive(`{"jsonrpc":"2.0","id":${id},"result":{"text":"x"}}`);
    await Promise.all(asks);
    await settled();
    assert.equal(world.clock.sleepers(), 0);
  }),

  "a lost link rejects who waits and who comes later": withPeer(async (world) => {
    const ask = assert.rejects(world.peer.request("echo", { text: "x" }, asked(world)), isCode("unavailable"));
    world.far.abandon("cut");
    await ask;
    await settled();
    await assert.rejects(world.peer.request("echo", { text: "x" }, asked(world)), isCode("unavailable"));
    assert.equal(world.peer.waiting(), 0);
  }),

  "an error answer is the fault it was": withPeer(async (world) => {
    const ask = world.peer.request("echo", { text: "x" }, asked(world));
    world.near.receive(
      '{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"Cannot: full","data":{"retryAfterSeconds":9}}}',
    );
    await assert.rejects(ask, (error) => isFault(error, "busy") && error.details.retryAfterSeconds === 9);
  }),

  "an answer that is not what the method promises is malformed": withPeer(async (world) => {
    const ask = world.peer.request("echo", { text: "x" }, asked(world));
    world.near.receive('{"jsonrpc":"2.0","id":1,"result":{"text":1}}');
    await assert.rejects(ask, isCode("malformed"));
  }),

  "a frame larger than the limit closes with 4413, counted in bytes": withPeer(async (world) => {
    world.near.receive(call(1, "echo", { text: "é".repeat(32 * KIB) }));
    assert.equal((await ends(world)).code, 4413);
  }),

  "a frame of exactly the limit is taken": withPeer(async (world) => {
    const empty = call(1, "echo", { text: "" });
    world.near.receive(call(1, "echo", { text: "x".repeat(64 * KIB - empty.length) }));
    await settled();
    assert.equal(world.echoed[0]?.length, 64 * KIB - empty.length);
  }),

  "nothing larger than the far end's limit is sent: a request is invalid, an answer unavailable": withPeer(
    async (world) => {
      await assert.rejects(world.peer.request("echo", { text: "x".repeat(64 * KIB) }, asked(world)), isCode("invalid"));
      world.near.receive(call(1, "echo", { text: "x".repeat(100 * KIB) }));
      await settled();
      assert.equal(answers(world)[0]?.error.code, -32005);
      world.peer.limitFrames(256 * KIB);
      world.near.receive(call(2, "echo", { text: "x".repeat(100 * KIB) }));
      await settled();
      assert.equal(answers(world)[1]?.id, 2);
      assert.ok(answers(world)[1]?.result);
    },
    { frameBytes: 256 * KIB },
  ),

  "100 malformed frames are answered, one more closes with 4407": withPeer(async (world) => {
    for (let sent = 0; sent < 100; sent++) world.near.receive("{");
    world.near.receive(call("still", "echo", { text: "here" }));
    await settled();
    assert.equal(world.near.sent.length, 101);
    assert.deepEqual(answers(world)[0], {
      jsonrpc: "2.0",
      id: null,
      error: { code: -32700, message: "Cannot read the frame: it is not JSON" },
    });
    world.near.receive('{"jsonrpc":"2.0","result":1}');
    assert.equal((await ends(world)).code, 4407);
    assert.equal(world.near.sent.length, 101, "a broken response is never answered");
  }),

  "bulk waits while much is under way, and what is urgent goes first": withPeer(async (world) => {
    world.near.buffered = 257 * KIB;
    const bulk = world.peer.request("echo", { text: "bulk" }, { ...asked(world), bulk: true });
    await world.clock.advance(1000);
    assert.deepEqual(world.near.sent, []);
    const urgent = world.peer.request("echo", { text: "urgent" }, asked(world));
    world.near.buffered = 0;
    await world.clock.advance(1000);
    assert.deepEqual(world.near.sent.map((text) => JSON.parse(text).params.text), ["urgent", "bulk"]);
    for (const text of world.near.sent) {
      const { id, params } = JSON.parse(text);
      world.near.receive(JSON.stringify({ jsonrpc: "2.0", id, result: params }));
    }
    await Promise.all([bulk, urgent]);
  }),

  "bulk that waits ends when its signal aborts, and when the link is lost": withPeer(async (world) => {
    world.near.buffered = 257 * KIB;
    const abort = new AbortController(), reason = new Error("enough");
    const aborted = assert.rejects(
      world.peer.request("echo", { text: "a" }, { signal: abort.signal, bulk: true }),
      (error) => error === reason,
    );
    abort.abort(reason);
    await aborted;
    const lost = assert.rejects(
      world.peer.request("echo", { text: "b" }, { ...asked(world), bulk: true }),
      isCode("unavailable"),
    );
    world.far.abandon("cut");
    await lost;
    assert.deepEqual([world.near.sent, world.clock.sleepers()], [[], 0]);
  }),

  "every frame is a sign of life": withPeer(async (world) => {
    const before = world.peer.heardAt();
    await world.clock.advance(5000);
    world.near.receive('{"jsonrpc":"2.0","id":99,"result":{}}');
    await settled();
    assert.equal(world.peer.heardAt() - before, 5000);
  }),
};

for (const [name, test] of Object.entries(TESTS)) Deno.test({ name: `peer: ${name}`, ...safe, fn: test });
