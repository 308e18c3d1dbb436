/** The checks of the SecretsProvider port, by name. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { Fault, type FaultCode } from "../../mod/fault.ts";
import type { SecretsProvider, SecretValue } from "../../mod/ports.ts";
import { mapReference } from "../../mod/secrets/mapping.ts";
import { parseReference } from "../../mod/secrets/reference.ts";
import { reveal, revealBytes } from "../../mod/secrets/secret.ts";
import { within } from "../wait.ts";

/** A provider over a backend that the test can change. What a backend cannot do is left out, and its checks skipped. */
export interface SecretsHarness {
  /** The provider under test. */
  readonly provider: SecretsProvider;
  /** Puts the whole value behind a reference without key. */
  put(reference: string, value: string | Uint8Array): Promise<void>;
  /** The secret is there, and we may not read it. */
  deny?(reference: string): Promise<void>;
  /** From now on the backend cannot be reached. */
  break?(): Promise<void>;
  /** From now on the backend takes requests and never answers. */
  hang?(): Promise<void>;
  /** Takes everything away. */
  close(): Promise<void>;
}

/** `key`: what `#key` asks of a JSON secret is not this provider's meaning of it. */
export type SecretsLack = "key";

/** One check. */
export interface SecretsCheck {
  /** What is promised. */
  readonly name: string;
  /** The capability without which it has no meaning. */
  readonly needs?: SecretsLack;
  /** Rejects where the promise is not kept. */
  run(harness: SecretsHarness): Promise<void>;
}

/** An abort that takes longer was slept through. */
const ABORT_LIMIT_MS = 3_000;

const at = (name: string): string => `secret:/collate/hybrid-ingestion-runner/${name}`;
const CANARY = "canary-7c1e94b2-do-not-show";

/** In the order of the tests. */
export const checks: readonly SecretsCheck[] = [
  {
    name: "a text is read as it was put",
    run: (harness) => roundTrip(harness, 'p@ss"word\n\tline two\r\n{"a": [1]} zwölf 東京 🗝 \'end\''),
  },
  { name: "a value that looks like JSON is not unwrapped", run: (harness) => roundTrip(harness, '"quoted"') },
  { name: "an empty value is a value", run: (harness) => roundTrip(harness, "") },
  { name: "a trailing newline is kept", run: (harness) => roundTrip(harness, "with newline\n") },
  { name: "a value of 64 KiB is read whole", run: (harness) => roundTrip(harness, "0123456789abcdef".repeat(4096)) },
  {
    name: "bytes that are no text are read byte for byte",
    run: (harness) => roundTrip(harness, new Uint8Array([1, 0, 255, 254, 128, 0, 195, 40, 2])),
  },
  {
    name: "both documented forms of a reference work",
    run: async (harness) => {
      await harness.put("secret:warehouse-password", "short");
      assert.equal(textOf(await read(harness, "secret:warehouse-password")), "short");
      await harness.put(at("warehouse-password"), "long");
      assert.equal(textOf(await read(harness, at("warehouse-password"))), "long");
    },
  },
  {
    name: "a changed value is read anew",
    run: async (harness) => {
      await harness.put(at("changing"), "before");
      assert.equal(textOf(await read(harness, at("changing"))), "before");
      await harness.put(at("changing"), "after");
      assert.equal(textOf(await read(harness, at("changing"))), "after");
    },
  },
  {
    name: "#key picks one string, raw",
    needs: "key",
    run: async (harness) => {
      await harness.put(at("many"), JSON.stringify({ user: "reader", password: ' p"w\n', empty: "", nested: {} }));
      assert.equal(textOf(await read(harness, `${at("many")}#password`)), ' p"w\n');
      assert.equal(textOf(await read(harness, `${at("many")}#empty`)), "");
    },
  },
  {
    name: "#key that is not there is not_found",
    needs: "key",
    run: async (harness) => {
      await harness.put(at("many"), JSON.stringify({ user: "reader" }));
      await refusal(harness, `${at("many")}#password`, "not_found");
      await refusal(harness, `${at("many")}#toString`, "not_found");
    },
  },
  {
    name: "#key of what is no string is malformed",
    needs: "key",
    run: async (harness) => {
      await harness.put(at("many"), JSON.stringify({ nested: { password: "x" }, port: 5432, none: null }));
      for (const key of ["nested", "port", "none"]) await refusal(harness, `${at("many")}#${key}`, "malformed");
    },
  },
  {
    name: "#key of what is no JSON object is malformed",
    needs: "key",
    run: async (harness) => {
      for (const value of ["no json at all", "[1]", "null", '"text"']) {
        await harness.put(at("text"), value);
        await refusal(harness, `${at("text")}#password`, "malformed");
      }
    },
  },
  {
    name: "a missing secret is not_found",
    run: async (harness) => void await refusal(harness, at("nowhere"), "not_found"),
  },
  {
    name: "a forbidden secret is denied",
    run: async (harness) => {
      await harness.put(at("forbidden"), "x");
      await able(harness.deny, "deny").call(harness, at("forbidden"));
      await refusal(harness, at("forbidden"), "denied");
    },
  },
  {
    name: "a backend that cannot be reached is unavailable",
    run: async (harness) => {
      await harness.put(at("behind"), "x");
      await able(harness.break, "break").call(harness);
      await refusal(harness, at("behind"), "unavailable");
    },
  },
  {
    name: "a failure names reference and provider",
    needs: "key",
    run: async (harness) => {
      await harness.put(at("text"), "no json at all");
      const { message } = await refusal(harness, `${at("text")}#password`);
      assert.ok(message.includes(`${at("text")}#password`), `the reference is not in: ${message}`);
      assert.ok(message.includes(harness.provider.kind), `the provider is not in: ${message}`);
      assert.match(message, /^Cannot read secret ".*: ./);
    },
  },
  {
    name: "no failure shows a value",
    needs: "key",
    run: async (harness) => {
      for (
        const value of [CANARY, `{"a": "${CANARY}" broken`, `["${CANARY}"]`, JSON.stringify({ password: [CANARY] })]
      ) {
        await harness.put(at("canary"), value);
        hidesCanary(await thrown(harness, `${at("canary")}#password`));
      }
    },
  },
  {
    name: "what is read does not show itself",
    run: async (harness) => {
      await harness.put(at("canary"), CANARY);
      hidesCanary(await read(harness, at("canary")));
    },
  },
  {
    name: "an abort before the read passes as the signal's reason",
    run: async (harness) => {
      await harness.put(at("any"), "x");
      const reason = new Error("stopped before");
      const signal = AbortSignal.abort(reason);
      assert.equal(await thrown(harness, at("any"), signal), reason);
    },
  },
  {
    name: "an abort in the midst of a read passes as the signal's reason",
    run: async (harness) => {
      await harness.put(at("any"), "x");
      await able(harness.hang, "hang").call(harness);
      const stop = new AbortController();
      const reason = new Error("stopped in the midst");
      const failure = thrown(harness, at("any"), stop.signal);
      const timer = setTimeout(() => stop.abort(reason), 20);
      try {
        assert.equal(await within("the end by abort", failure, ABORT_LIMIT_MS), reason);
      } finally {
        clearTimeout(timer);
      }
    },
  },
];

async function roundTrip(harness: SecretsHarness, value: string | Uint8Array): Promise<void> {
  await harness.put(at("value"), value);
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  assert.deepEqual([...revealBytes((await read(harness, at("value"))).value)], [...bytes]);
}

function read(harness: SecretsHarness, reference: string, signal?: AbortSignal): Promise<SecretValue> {
  const { provider } = harness;
  const name = mapReference(provider.kind, parseReference(reference));
  return provider.read(name, signal ?? new AbortController().signal);
}

function textOf({ value }: SecretValue): string {
  return reveal(value);
}

async function thrown(harness: SecretsHarness, reference: string, signal?: AbortSignal): Promise<unknown> {
  try {
    await read(harness, reference, signal);
  } catch (error) {
    return error;
  }
  return assert.fail(`reading ${reference} did not fail`);
}

async function refusal(harness: SecretsHarness, reference: string, code?: FaultCode): Promise<Fault> {
  const error = await thrown(harness, reference);
  assert.ok(error instanceof Fault, `no Fault, but ${inspect(error)}`);
  if (code !== undefined) assert.equal(error.code, code, error.message);
  return error;
}

/** Every way in which a thing may come to be printed. */
function hidesCanary(thing: unknown): void {
  const shown = [Deno.inspect(thing, { depth: 20 }), inspect(thing, { depth: 20, showHidden: true }), String(thing)];
  for (let each = thing; each instanceof Error; each = each.cause) {
    shown.push(each.message, each.stack ?? "", JSON.stringify(each), JSON.stringify(Object.entries(each)));
  }
  shown.push(JSON.stringify(thing) ?? "");
  for (const text of shown) assert.ok(!text.includes(CANARY), "the value is shown");
}

function able<T>(verb: T | undefined, name: string): T {
  return verb ?? assert.fail(`the harness has no ${name}: give it one, or skip the check with a reason`);
}
