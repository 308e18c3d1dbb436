/** Sabotaged providers: each must fail the check named for it, and only that one. */
import assert from "node:assert/strict";
import { Fault, isFault } from "../../mod/fault.ts";
import type { SecretsProvider } from "../../mod/ports.ts";
import { reveal, revealBytes, Secret } from "../../mod/secrets/secret.ts";
import { checks, runCheck, type SecretsHarness, type SecretsLack } from "../contract/secrets.ts";
import { fileHarness, kubernetesHarness } from "./harness.ts";
import { test } from "../limited.ts";

type Read = SecretsProvider["read"];

interface Sabotage {
  what: string;
  fails: string;
  read(read: Read): Read;
}

const rethrowing = (change: (error: unknown) => unknown) => (read: Read): Read => (name, signal) =>
  read(name, signal).catch((error) => Promise.reject(change(error)));

const sabotages: readonly Sabotage[] = [
  {
    what: "a 403 told as not_found",
    fails: "a forbidden secret is denied",
    read: rethrowing((error) => isFault(error, "denied") ? new Fault("not_found", error.message) : error),
  },
  {
    what: "a missing secret becomes an empty value",
    fails: "a missing secret is not_found",
    read: (read) => async (name, signal) => {
      try {
        return await read(name, signal);
      } catch (error) {
        if (isFault(error, "not_found") && name.key === undefined) return { value: Secret.of("") };
        throw error;
      }
    },
  },
  {
    what: "an abort slept through",
    fails: "an abort in the midst of a read passes as the signal's reason",
    read: (read) => async (name, signal) => {
      signal.throwIfAborted();
      return await read(name, new AbortController().signal);
    },
  },
  {
    what: "an abort noticed only once under way",
    fails: "an abort before the read passes as the signal's reason",
    read: (read) => (name, signal) => read(name, signal.aborted ? new AbortController().signal : signal),
  },
  {
    what: "a value trimmed",
    fails: "a trailing newline is kept",
    read: (read) => async (name, signal) => {
      const { value } = await read(name, signal);
      const bytes = revealBytes(value);
      return { value: name.key === undefined && bytes.at(-1) === 10 ? Secret.of(bytes.subarray(0, -1)) : value };
    },
  },
  {
    what: "a value taken for text",
    fails: "bytes that are no text are read byte for byte",
    read: (read) => async (name, signal) => {
      const { value } = await read(name, signal);
      return { value: Secret.of(new TextDecoder("utf-8", { ignoreBOM: true }).decode(revealBytes(value))) };
    },
  },
  {
    what: "an error that contains the value",
    fails: "no failure shows a value",
    read: (read) => async (name, signal) => {
      try {
        return await read(name, signal);
      } catch (error) {
        if (!isFault(error, "malformed")) throw error;
        const whole = await read({ reference: name.reference, name: name.name }, signal);
        throw new Fault("malformed", error.message, { cause: new SyntaxError(`unexpected ${reveal(whole.value)}`) });
      }
    },
  },
  {
    what: "an error without the reference",
    fails: "a failure names reference and provider",
    read: rethrowing((error) =>
      isFault(error, "malformed") ? new Fault("malformed", "Cannot read the secret: no JSON") : error
    ),
  },
  {
    what: "an outage told as not_found",
    fails: "a backend that cannot be reached is unavailable",
    read: rethrowing((error) => isFault(error, "unavailable") ? new Fault("not_found", error.message) : error),
  },
  {
    what: "a value kept for ever",
    fails: "a changed value is read anew",
    read: (read) => {
      const kept = new Map<string, ReturnType<Read>>();
      return (name, signal) => {
        // Only what was read well is kept, as a cache would.
        if (!name.name.endsWith("changing")) return read(name, signal);
        const known = kept.get(name.name) ?? read(name, signal);
        kept.set(name.name, known);
        return known;
      };
    },
  },
  {
    what: "JSON unwrapped without being asked",
    fails: "a value that looks like JSON is not unwrapped",
    read: (read) => async (name, signal) => {
      const { value } = await read(name, signal);
      const text = new TextDecoder().decode(revealBytes(value));
      return { value: /^".*"$/.test(text) && name.key === undefined ? Secret.of(text.slice(1, -1)) : value };
    },
  },
];

/** Providers that are sabotaged, and what each is excused from. */
const backends: readonly { name: string; make: () => Promise<SecretsHarness>; lacks: readonly SecretsLack[] }[] = [
  { name: "file", make: fileHarness, lacks: [] },
  { name: "kubernetes", make: kubernetesHarness, lacks: ["key"] },
];

for (const { name, make, lacks } of backends) {
  const held = checks.filter(({ needs }) => needs === undefined || !lacks.includes(needs));

  /** No check takes long but the one for a slept-through abort, which waits for its own limit. */
  const failing = async (makeHarness: () => Promise<SecretsHarness>): Promise<string[]> => {
    const failed: string[] = [];
    for (const check of held) {
      try {
        await runCheck(check, makeHarness);
      } catch {
        failed.push(check.name);
      }
    }
    return failed;
  };

  test(`secrets/teeth: an honest provider fails no check (${name})`, async () => {
    assert.deepEqual(await failing(make), []);
  });

  for (const sabotage of sabotages) {
    if (!held.some((check) => check.name === sabotage.fails)) continue;
    test(`secrets/teeth: ${sabotage.what} (${name})`, async () => {
      const makeHarness = async (): Promise<SecretsHarness> => {
        const honest = await make();
        const provider = { kind: honest.provider.kind, read: sabotage.read(honest.provider.read) };
        return { ...honest, provider };
      };
      assert.deepEqual(await failing(makeHarness), [sabotage.fails]);
    });
  }
}
