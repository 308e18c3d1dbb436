/** Arbitrary values of a zod schema's shape: what it accepts, but for its refinements, which are left to chance. */
import * as fc from "fast-check";
import type * as z from "zod/mini";
import { Instant } from "../../mod/run.ts";

/** Values for members of these names, wherever they stand, in place of what the schema alone would say. */
export type ByName = Readonly<Record<string, fc.Arbitrary<unknown>>>;

type Def = z.core.$ZodTypes["_zod"]["def"];

/** Fails for a kind of schema that it does not know: a new kind in the protocol must not go untested in silence. */
export function arbitraryOf(schema: z.core.$ZodType, byName: ByName = {}): fc.Arbitrary<unknown> {
  // Digits in the right places are seldom a time.
  if (schema === Instant) return instant;
  // The union of all definitions is zod's own; it only has to be told that this is one of them.
  const def = schema._zod.def as Def;
  const of = (inner: z.core.$ZodType) => arbitraryOf(inner, byName);
  switch (def.type) {
    case "object": {
      const members = Object.entries(def.shape).map(([name, inner]) => [name, byName[name] ?? of(inner)] as const);
      const optional = new Set(Object.keys(def.shape).filter((name) => isOptional(def.shape[name])));
      const requiredKeys = members.map(([name]) => name).filter((name) => !optional.has(name));
      return fc.record(Object.fromEntries(members), { requiredKeys });
    }
    case "optional":
    case "catch":
      return of(def.innerType);
    case "array":
      return fc.array(of(def.element), { maxLength: 3 });
    case "record":
      return fc.dictionary(of(def.keyType) as fc.Arbitrary<string>, of(def.valueType), { maxKeys: 3 });
    case "union":
      return fc.oneof(...def.options.map(of));
    case "enum":
      return fc.constantFrom(...Object.values(def.entries));
    case "literal":
      return fc.constantFrom(...def.values);
    case "boolean":
      return fc.boolean();
    case "number":
      return numberOf(schema);
    case "string":
      return stringOf(schema);
    case "unknown":
      return fc.jsonValue({ maxDepth: 2 });
    default:
      throw new Error(`Cannot make arbitrary values of a schema of the type ${def.type}`);
  }
}

const instant = fc.oneof(
  fc.date({ noInvalidDate: true, min: new Date("0000-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59.999Z") })
    .map((date) => date.toISOString()),
  fc.constantFrom("2026-02-30T00:00:00Z", "2026-12-31T24:00:00+23:59", "0000-01-01T00:00:00.000000001-00:00"),
);

function isOptional(schema: z.core.$ZodType | undefined): boolean {
  return schema?._zod.def.type === "optional";
}

function checksOf(schema: z.core.$ZodType): z.core.$ZodChecks["_zod"]["def"][] {
  // As above: zod's own union of its checks.
  return (schema._zod.def.checks ?? []).map((check) => check._zod.def as z.core.$ZodChecks["_zod"]["def"]);
}

function numberOf(schema: z.core.$ZodType): fc.Arbitrary<number> {
  let min = 0, max = Number.MAX_SAFE_INTEGER;
  for (const check of checksOf(schema)) {
    if (check.check === "greater_than") min = Number(check.value) + (check.inclusive ? 0 : 1);
    if (check.check === "less_than") max = Number(check.value) - (check.inclusive ? 0 : 1);
  }
  return fc.oneof(
    fc.integer({ min, max: Math.min(max, min + 1000) }),
    fc.maxSafeInteger().map((n) => clamp(n, min, max)),
  );
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

function stringOf(schema: z.core.$ZodType): fc.Arbitrary<string> {
  let minLength = 0, maxLength = 24;
  for (const check of checksOf(schema)) {
    if (check.check === "string_format" && "pattern" in check && check.pattern instanceof RegExp) {
      return fc.stringMatching(check.pattern, { size: "xsmall" });
    }
    if (check.check === "min_length") minLength = Number(check.minimum);
    if (check.check === "max_length") maxLength = Math.min(maxLength, Number(check.maximum));
  }
  return fc.oneof(fc.string({ minLength, maxLength }), fc.string({ unit: "binary", minLength, maxLength }));
}
