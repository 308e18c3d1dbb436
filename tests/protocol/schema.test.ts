/** The recorded frames against both descriptions of the protocol, and the two descriptions against each other. */
import assert from "node:assert/strict";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { FAULT_NUMBERS } from "../../mod/fault.ts";
import { INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, readFrame } from "../../mod/protocol/frame.ts";
import { type Methods, TO_CONTROL_PLANE, TO_RUNNER } from "../../mod/protocol/methods.ts";
import { protocolSchema, protocolSchemaText } from "../../tasks/schema/document.ts";
import { recordedFrames } from "./recorded.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const METHODS: Methods = { ...TO_CONTROL_PLANE, ...TO_RUNNER };
const document = protocolSchema();
const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
ajv.addVocabulary(Object.keys(document).filter((key) => key.startsWith("x-")));
ajv.addSchema(document);
const compiled = new Map<string, ValidateFunction>();

function validator(pointer: string): ValidateFunction {
  const known = compiled.get(pointer) ?? ajv.compile({ $ref: `${document.$id}${pointer}` });
  compiled.set(pointer, known);
  return known;
}

function schemaSays(pointer: string, value: unknown): { valid: boolean; why: string } {
  const validate = validator(pointer);
  return { valid: validate(value) === true, why: ajv.errorsText(validate.errors) };
}

Deno.test({ name: "schema: the published file is what the zod schemas say", ...safe }, async () => {
  const file = new URL("../../docs/schema/hybrid-runner.v1.json", import.meta.url);
  assert.equal(await Deno.readTextFile(file), protocolSchemaText(), "run `deno task schema`");
});

Deno.test({ name: "schema: every method has its request and its answer defined", ...safe }, () => {
  for (const method of Object.keys(METHODS)) {
    for (const part of ["request", "params", "result"]) {
      assert.ok(`${method}.${part}` in document.$defs, `${method}.${part}`);
      validator(`#/$defs/${method}.${part}`);
    }
  }
});

Deno.test({ name: "frames: each is one frame of the protocol by the JSON Schema", ...safe }, () => {
  for (const { from, kind, method, frame } of recordedFrames()) {
    const label = `${from}: ${JSON.stringify(frame)}`;
    const { valid, why } = schemaSays("", frame);
    assert.equal(valid, kind !== "unknown", `${label}: ${why}`);
    if (kind === "request") {
      const direction = schemaSays(from === "runner" ? "#/$defs/ToControlPlane" : "#/$defs/ToRunner", frame);
      assert.ok(direction.valid, `${label}: ${direction.why}`);
    }
    if (kind === "result") {
      const result = schemaSays(`#/$defs/${method}.result`, frame.result);
      assert.ok(result.valid, `${label}: ${result.why}`);
    }
  }
});

Deno.test({ name: "frames: each is read as what it is, and fits its method's zod schema", ...safe }, () => {
  for (const { from, kind, method, frame } of recordedFrames()) {
    const read = readFrame(JSON.stringify(frame));
    assert.equal(read.kind, kind === "unknown" ? "request" : kind);
    if (read.kind === "request" && kind === "request") {
      const table: Methods = from === "runner" ? TO_CONTROL_PLANE : TO_RUNNER;
      assert.deepEqual(table[read.method]?.params.parse(read.params), read.params, `${method}: a member is not known`);
    }
    if (read.kind === "result" && method !== null) {
      assert.deepEqual(METHODS[method]?.result.parse(read.result), read.result, `${method}: a member is not known`);
    }
  }
});

Deno.test({ name: "frames: every method is called and answered, every error code occurs", ...safe }, () => {
  const frames = recordedFrames();
  for (const method of Object.keys(METHODS)) {
    const side = method in TO_CONTROL_PLANE ? "runner" : "control plane";
    const of = frames.filter((frame) => frame.method === method);
    assert.ok(of.some(({ kind, from }) => kind === "request" && from === side), `no request ${method}`);
    assert.ok(of.some(({ kind, from }) => kind !== "request" && from !== side), `no answer to ${method}`);
  }
  const codes = frames.map(({ frame }) => readFrame(JSON.stringify(frame)))
    .flatMap((read) => read.kind === "error" ? [read.error.code] : []);
  for (const code of [...Object.values(FAULT_NUMBERS), PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND]) {
    assert.ok(codes.includes(code), `no error ${code}`);
  }
});

Deno.test({
  name: "schema: what zod refuses, the JSON Schema refuses; members nobody knows are let through by both",
  ...safe,
}, () => {
  const values = [undefined, null, "", "x", "secret:x", -1, 0, 1.5, 1e300, true, [], {}, [null], { a: 1 }];
  let refused = 0, taken = 0;
  for (const { kind, method, frame } of recordedFrames()) {
    if (method === null || (kind !== "request" && kind !== "result")) continue;
    const part = kind === "request" ? "params" : "result";
    const schema = METHODS[method]?.[part];
    for (const mutant of mutants(frame[part], [...values])) {
      const byZod = schema?.safeParse(mutant).success;
      const byJson = schemaSays(`#/$defs/${method}.${part}`, mutant);
      assert.equal(byJson.valid, byZod, `${method}.${part} ${JSON.stringify(mutant)}: ${byJson.why}`);
      byZod ? taken++ : refused++;
    }
  }
  assert.ok(refused > 500 && taken > 500, `${refused} refused, ${taken} taken: the mutants prove nothing`);
});

Deno.test({ name: "schema: the rules beyond types are said in it too", ...safe }, () => {
  const job = {
    kind: "pipeline",
    pipelineId: "p",
    name: "p",
    type: "metadata",
    revision: 1,
    document: "",
    enabled: true,
    maxActiveRuns: 1,
  };
  const bad = [
    { ...job, env: { LD_PRELOAD: "x" } },
    { ...job, env: { PYTHONPATH: "x" } },
    { ...job, env: { config: "x" } },
    { ...job, env: { TOKEN: "secret:/x" } },
    { ...job, labels: { "app.kubernetes.io/name": "x" } },
    { ...job, labels: { "hybrid-runner.dev/run": "x" } },
    { ...job, document: "x".repeat(900 * 1024 + 1) },
  ];
  for (const content of [job, ...bad]) {
    assert.equal(
      schemaSays("#/$defs/job.plan.params", { job: content }).valid,
      content === job,
      JSON.stringify(content).slice(0, 200),
    );
    assert.equal(TO_RUNNER["job.plan"].params.safeParse({ job: content }).success, content === job);
  }
});

/** The value with each of its members, at any depth, replaced by each of the given values, left out, or added to. */
function* mutants(value: unknown, replacements: unknown[]): Iterable<unknown> {
  if (typeof value !== "object" || value === null) return;
  const members: [string, unknown][] = Object.entries(value);
  for (const [key, member] of members) {
    for (const replacement of replacements) yield withMember(value, key, replacement);
    for (const inner of mutants(member, replacements)) yield withMember(value, key, inner);
  }
  if (!Array.isArray(value)) yield { ...value, aMemberOfTomorrow: 1 };
}

function withMember(value: object, key: string, member: unknown): unknown {
  if (Array.isArray(value)) return value.with(Number(key), member).filter((item) => item !== undefined);
  const { [key]: _, ...rest } = value as Record<string, unknown>;
  return member === undefined ? rest : { ...rest, [key]: member };
}
