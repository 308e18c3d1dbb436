/** The frame reader against JSON-RPC 2.0 (https://www.jsonrpc.org/specification), row by row. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { Fault, FAULT_NUMBERS, type FaultCode } from "../../mod/fault.ts";
import {
  errorFrame,
  errorToFault,
  faultToError,
  type Frame,
  readFrame,
  requestFrame,
  resultFrame,
} from "../../mod/protocol/frame.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** What is read from each text; members that are not given here are not compared. */
const ROWS: readonly [
  label: string,
  text: string,
  frame: Partial<Record<string, unknown>> & { kind: Frame["kind"] },
][] = [
  ["a request", '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1}}', {
    kind: "request",
    id: 1,
    method: "m",
    params: { a: 1 },
  }],
  ["id as text", '{"jsonrpc":"2.0","id":"x","method":"m","params":{}}', { kind: "request", id: "x" }],
  ["id null is a request", '{"jsonrpc":"2.0","id":null,"method":"m"}', { kind: "request", id: null }],
  ["id 0 is a request", '{"jsonrpc":"2.0","id":0,"method":"m"}', { kind: "request", id: 0 }],
  ["no id: a notification", '{"jsonrpc":"2.0","method":"m"}', { kind: "request", id: undefined, params: {} }],
  ["params by position", '{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}', { kind: "request", params: [1] }],
  ["params null", '{"jsonrpc":"2.0","id":1,"method":"m","params":null}', { kind: "request", params: {} }],
  ["members of tomorrow", '{"jsonrpc":"2.0","id":1,"method":"m","trace":"t"}', { kind: "request", id: 1 }],
  ["white space around", ' \n{"jsonrpc":"2.0","id":1,"method":"m"}\t', { kind: "request", id: 1 }],
  ["a result", '{"jsonrpc":"2.0","id":7,"result":{}}', { kind: "result", id: 7, result: {} }],
  ["a result that is null", '{"jsonrpc":"2.0","id":7,"result":null}', { kind: "result", id: 7, result: null }],
  ["an error", '{"jsonrpc":"2.0","id":7,"error":{"code":-32002,"message":"no"}}', {
    kind: "error",
    id: 7,
    error: { code: -32002, message: "no" },
  }],
  ["an error to an unreadable frame", '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}', {
    kind: "error",
    id: null,
  }],
  ["an error with odd data", '{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"no","data":"text"}}', {
    kind: "error",
    error: { code: 1, message: "no", data: {} },
  }],
  ["nothing", "", { kind: "malformed", id: null, code: -32700 }],
  ["no JSON", "{", { kind: "malformed", id: null, code: -32700 }],
  ["JSON and more", '{"jsonrpc":"2.0","id":1,"method":"m"}{}', { kind: "malformed", code: -32700 }],
  ["NaN", '{"jsonrpc":"2.0","id":NaN,"method":"m"}', { kind: "malformed", code: -32700 }],
  ["a batch", '[{"jsonrpc":"2.0","id":1,"method":"m"}]', { kind: "malformed", id: null, code: -32600 }],
  ["an empty batch", "[]", { kind: "malformed", id: null, code: -32600 }],
  ["a number", "1", { kind: "malformed", id: null, code: -32600 }],
  ["null", "null", { kind: "malformed", id: null, code: -32600 }],
  ["an empty object", "{}", { kind: "malformed", id: null, code: -32600 }],
  ["no version", '{"id":1,"method":"m"}', { kind: "malformed", id: 1, code: -32600 }],
  ["version as a number", '{"jsonrpc":2.0,"id":1,"method":"m"}', { kind: "malformed", id: 1, code: -32600 }],
  ["another version", '{"jsonrpc":"1.0","id":1,"method":"m"}', { kind: "malformed", id: 1, code: -32600 }],
  ["method as a number", '{"jsonrpc":"2.0","id":1,"method":1}', { kind: "malformed", id: 1, code: -32600 }],
  ["method missing", '{"jsonrpc":"2.0","id":1,"params":{}}', { kind: "malformed", id: 1, code: -32600 }],
  ["id as an object", '{"jsonrpc":"2.0","id":{},"method":"m"}', { kind: "malformed", id: null, code: -32600 }],
  ["id as a truth", '{"jsonrpc":"2.0","id":true,"method":"m"}', { kind: "malformed", id: null, code: -32600 }],
  ["a response without version", '{"id":7,"result":1}', { kind: "broken-response" }],
  ["a response without id", '{"jsonrpc":"2.0","result":1}', { kind: "broken-response" }],
  ["a response with an odd id", '{"jsonrpc":"2.0","id":[],"result":1}', { kind: "broken-response" }],
  ["a response with both members", '{"jsonrpc":"2.0","id":7,"result":1,"error":{"code":1,"message":""}}', {
    kind: "broken-response",
  }],
  ["an error that is text", '{"jsonrpc":"2.0","id":7,"error":"no"}', { kind: "broken-response" }],
  ["an error without code", '{"jsonrpc":"2.0","id":7,"error":{"message":"no"}}', { kind: "broken-response" }],
];

for (const [label, text, wanted] of ROWS) {
  Deno.test({ name: `frame: ${label}`, ...safe }, () => {
    const read: Record<string, unknown> = { ...readFrame(text) };
    for (const [member, value] of Object.entries(wanted)) assert.deepEqual(read[member], value, member);
  });
}

Deno.test({ name: "frame: deep nesting and dangerous names are only data", ...safe }, () => {
  const deep = `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}}`;
  assert.equal(readFrame(deep).kind, "request");
  const read = readFrame(
    '{"jsonrpc":"2.0","id":1,"method":"m","params":{"__proto__":{"polluted":1}},"__proto__":{"method":"n"}}',
  );
  assert.equal(read.kind === "request" && read.method, "m");
  assert.equal(Reflect.get({}, "polluted"), undefined);
});

Deno.test({ name: "frame: any text is read as something, and nothing is thrown (property)", ...safe }, () => {
  const text = fc.oneof(fc.string(), fc.json(), fc.string({ unit: "binary" }));
  fc.assert(fc.property(text, (text) => typeof readFrame(text).kind === "string"), { numRuns: 2000 });
});

Deno.test({ name: "frame: what we write, we read (property)", ...safe }, () => {
  const json = fc.jsonValue();
  fc.assert(fc.property(fc.nat(), fc.string(), fc.dictionary(fc.string(), json), json, (id, method, params, result) => {
    const asSent = <T>(value: T): T => JSON.parse(JSON.stringify(value));
    assert.deepEqual(readFrame(requestFrame(id, method, params)), {
      kind: "request",
      id,
      method,
      params: asSent(params),
    });
    assert.deepEqual(readFrame(resultFrame(id, result)), { kind: "result", id, result: asSent(result ?? {}) });
    const error = { code: -32002, message: method, data: { path: method } };
    assert.deepEqual(readFrame(errorFrame(id, error)), { kind: "error", id, error });
  }));
});

Deno.test({ name: "frame: each fault crosses the wire and comes back the same, without its cause", ...safe }, () => {
  for (const code of Object.keys(FAULT_NUMBERS) as FaultCode[]) {
    const fault = new Fault(code, "Cannot do it: no", {
      path: "a.b",
      retryAfterSeconds: 3,
      cause: new Error("canary"),
    });
    const error = faultToError(fault);
    assert.equal(JSON.stringify(error).includes("canary"), false);
    const back = errorToFault(error);
    assert.deepEqual([back.code, back.message, back.details], [code, fault.message, fault.details]);
  }
  assert.equal(errorToFault({ code: -32601, message: "no" }).code, "unavailable");
  assert.equal(errorToFault({ code: 12345, message: "no" }).code, "internal");
  assert.equal(new Set(Object.values(FAULT_NUMBERS)).size, Object.keys(FAULT_NUMBERS).length);
});
