/** Frames as nobody should send them: valid ones of every method, and what chance makes of them. */
import * as fc from "fast-check";
import type { Methods } from "../../mod/protocol/methods.ts";
import { arbitraryOf, type ByName } from "./arbitrary.ts";

/** What is sent: text, or bytes in a binary frame. */
export type Sent = string | Uint8Array<ArrayBuffer>;

/** Larger than the 4 MiB that a frame may have. */
export const OVERSIZED = 5 * 1024 * 1024;

/** Where a mutation strikes, and with what. */
interface Blow {
  how: number;
  where: number;
  what: number;
}

const blow: fc.Arbitrary<Blow> = fc.record({ how: fc.nat(99), where: fc.nat(), what: fc.nat() });

/** Values that stand where others belong. Functions, for some are long and few are needed. */
const JUNK: readonly (() => unknown)[] = [
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => 1.5,
  () => 1e308,
  () => 2 ** 53,
  () => Number.MIN_VALUE,
  () => "",
  () => "\u0000",
  () => "\ud800",
  () => "a\udfffb\u0000c",
  () => "\u202e\ufeff\u2028",
  () => "__proto__",
  () => [],
  () => {},
  () => [[[[]]]],
  () => JSON.parse('{"__proto__":{"id":1,"method":"x"},"constructor":{"prototype":{}}}'),
  () => ({ toString: 1, valueOf: null, then: "x", length: -1 }),
  () => ({ length: { toString: 1, valueOf: 1 } }),
  () => "x".repeat(70_000),
  () => Array.from({ length: 1001 }, () => ({})),
  () => "9999-99-99T99:99:99Z",
  () => "2026-02-30T25:61:61.999999999+99:99",
];

/** Members that strike at objects which are used as tables. */
const MEMBERS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "result",
  "error",
  "id",
  "\u0000",
];

/** One frame for the end that answers `methods`; `byName` gives values that mean something to that end. */
export function framesFor(methods: Methods, byName: (method: string) => ByName): fc.Arbitrary<Sent> {
  const request = fc.oneof(
    ...Object.entries(methods).map(([method, { params }]) =>
      fc.record({
        jsonrpc: fc.constant("2.0"),
        id,
        method: fc.constant(method),
        params: arbitraryOf(params, byName(method)),
      })
    ),
  );
  const valid = request.map((frame) => JSON.stringify(frame));
  const mutated = fc.tuple(request, fc.array(blow, { minLength: 1, maxLength: 3 })).map(([frame, blows]) => {
    const struck = blows.filter(({ how }) => how < 75).reduce<unknown>(strikeValue, frame);
    return blows.filter(({ how }) => how >= 75).reduce(strikeText, JSON.stringify(struck) ?? "");
  });
  return fc.oneof(
    { weight: 300, arbitrary: valid },
    { weight: 450, arbitrary: mutated },
    { weight: 60, arbitrary: response },
    { weight: 30, arbitrary: request.map(({ id: _id, ...rest }) => JSON.stringify(rest)) },
    { weight: 20, arbitrary: fc.array(request, { maxLength: 3 }).map((batch) => JSON.stringify(batch)) },
    { weight: 30, arbitrary: strange },
    { weight: 20, arbitrary: fc.json({ maxDepth: 3 }) },
    { weight: 15, arbitrary: fc.string({ maxLength: 40 }) },
    { weight: 4, arbitrary: fc.tuple(request, fc.nat(2)).map(([frame, kind]) => heavy(frame, kind)) },
    { weight: 2, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => new Uint8Array(bytes)) },
  );
}

const id = fc.oneof(
  { weight: 20, arbitrary: fc.nat() },
  { weight: 5, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(null, "", 0, -1, 0.5, 2 ** 60, "\ud800", "__proto__") },
);

/** Answers to what may have been asked (small ids) and to what was not, right and wrong. */
const response = fc.tuple(fc.nat(40), fc.nat(9), fc.jsonValue({ maxDepth: 1 })).map(([id, kind, value]) =>
  JSON.stringify(
    [
      { jsonrpc: "2.0", id: id + 1e6, result: value },
      { jsonrpc: "2.0", id, result: value },
      { jsonrpc: "2.0", id, result: {} },
      { jsonrpc: "2.0", id, error: { code: -32005, message: "no" } },
      { jsonrpc: "2.0", id, error: { code: -32602, message: "no", data: value } },
      { jsonrpc: "2.0", id, error: value },
      { jsonrpc: "2.0", id, result: value, error: { code: 1, message: "" } },
      { jsonrpc: "2.0", id: [id], result: value },
      { jsonrpc: "1.0", id, result: value },
      { jsonrpc: "2.0", id: null, error: { code: -32700, message: "what?" } },
    ][kind],
  )
);

/** Texts that no mutation would find. */
const strange = fc.constantFrom(
  "",
  " ",
  "null",
  "true",
  "0",
  "[]",
  "{}",
  '""',
  "\u0000",
  "\ufeff{}",
  "NaN",
  "-",
  '{"jsonrpc":"2.0"}',
  '{"jsonrpc":"2.0","id":1}',
  '{"jsonrpc":"2.0","id":1e999,"method":"no.such"}',
  '{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"no.such"}',
  '{"jsonrpc":"2.0","id":1,"id":2,"method":"no.such","method":"no.other"}',
  '{"jsonrpc":"2.0","id":"a","method":"__proto__"}',
  '{"jsonrpc":"2.0","id":"a","method":"constructor","params":{"__proto__":{}}}',
  '{"__proto__":{"jsonrpc":"2.0","id":7,"method":"no.such"}}',
  '{"__proto__":{"result":1},"jsonrpc":"2.0","id":8}',
  '{"jsonrpc":"2.0","id":9,"method":"","params":null}',
  '{"jsonrpc":"2.0","id":10,"method":"no.such","params":"\\ud800"}',
  '{"jsonrpc":"2.0","method":"no.such"}',
  '{"jsonrpc":"2.0","id":11,"method":null,"result":1}',
  // A length that cannot be compared: the schema library throws where it should refuse.
  '{"jsonrpc":"2.0","id":12,"method":"pipeline.stop","params":{"pipelineId":{"length":{"toString":1,"valueOf":1}}}}',
  '{"jsonrpc":"2.0","id":13,"method":"log.chunk","params":{"streamId":{"length":{"toString":1,"valueOf":1}}}}',
);

const LEVELS = 100_000;

/** Deep, long. */
function heavy(request: { method: string }, kind: number): string {
  const method = JSON.stringify(request.method);
  const head = '{"jsonrpc":"2.0","id":"heavy","method":';
  switch (kind) {
    case 0:
      return `${head}${method},"params":${"[".repeat(LEVELS)}${"]".repeat(LEVELS)}}`;
    case 1:
      return `${'{"params":'.repeat(LEVELS)}1${"}".repeat(LEVELS)}`;
    default:
      return `${head}"${"y".repeat(300_000)}"}`;
  }
}

/** Strikes at one place of the value; a mutation that has nothing to strike leaves it as it is. */
function strikeValue(frame: unknown, { how, where, what }: Blow): unknown {
  const places: { holder: Record<string, unknown>; name: string }[] = [];
  const copy = structuredClone(frame);
  const walk = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    const holder = value as Record<string, unknown>;
    for (const name of Object.keys(holder)) {
      places.push({ holder, name });
      walk(holder[name]);
    }
  };
  walk(copy);
  // Mostly inside the parameters: what is wrong outside of them soon ends a session.
  const inner = places.filter(({ holder }) => holder !== copy);
  const aimed = where % 4 > 0 && inner.length > 0 ? inner : places;
  const place = aimed[where % Math.max(1, aimed.length)];
  if (place === undefined) return copy;
  const { holder, name } = place;
  if (how < 15) delete holder[name];
  else if (how < 25) {
    const member = MEMBERS[what % MEMBERS.length] ?? "";
    Object.defineProperty(holder, member, {
      value: JUNK[where % JUNK.length]?.(),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else if (how < 30) holder[name] = { [name]: holder[name] };
  else if (how < 33) holder[name] = [holder[name]];
  else if (how < 36) holder[name] = JSON.stringify(holder[name]) ?? "";
  else holder[name] = JUNK[what % JUNK.length]?.();
  return copy;
}

function strikeText(text: string, { how, where, what }: Blow): string {
  const at = where % (text.length + 1);
  if (how < 79) return text.slice(0, at);
  if (how < 86) {
    return `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) ^ (1 << what % 7))}${text.slice(at + 1)}`;
  }
  if (how < 89) return text.slice(0, at) + text.slice(at + 1 + what % 8);
  if (how < 92) return text.replace(/\d+/g, (digits, offset) => offset >= at ? `${digits}${"9".repeat(400)}` : digits);
  // The same member twice: the last one counts.
  if (how < 97) return text.replace(/"(\w+)":("[^"\\]*"|\d+)/, (member, name) => `${member},"${name}":${what % 3}`);
  return text + text.slice(at);
}
