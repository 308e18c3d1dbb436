import assert from "node:assert/strict";
import { Fault, isFault } from "../../mod/fault.ts";
import type { SecretName, SecretsProvider } from "../../mod/ports.ts";
import { CONCURRENCY, failuresOf, resolveAll, resolveText } from "../../mod/secrets/resolve.ts";
import { reveal, Secret } from "../../mod/secrets/secret.ts";
import { test } from "../limited.ts";

const never = new AbortController().signal;
const CANARY = "canary-5b0d17aa";

function provider(read: (name: SecretName, signal: AbortSignal) => Promise<string>): SecretsProvider {
  return {
    kind: "file",
    read: async (name, signal) => ({ value: Secret.of(await read(name, signal)), version: `v-${name.name}` }),
  };
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(() => assert.fail("it did not fail"), (error) => error);
  assert.ok(error instanceof Fault, Deno.inspect(error));
  return error;
}

test("secrets/resolve: each distinct reference is read once, at most 8 at a time", async () => {
  const references = Array.from({ length: 40 }, (_, i) => `secret:/s${i % 20}`);
  const asked: string[] = [];
  const gates: (() => void)[] = [];
  let open = 0;
  let most = 0;
  const source = provider(async ({ reference }) => {
    asked.push(reference);
    most = Math.max(most, ++open);
    // Nobody is let go before as many as may be here are here.
    await new Promise<void>((resolve) => {
      gates.push(resolve);
      if (gates.length >= CONCURRENCY || asked.length === 20) gates.splice(0).forEach((release) => release());
    });
    open--;
    return `value of ${reference}`;
  });
  const read = await resolveAll(references, source, {}, never);
  assert.deepEqual(asked.toSorted(), [...new Set(references)].toSorted());
  assert.equal(most, CONCURRENCY);
  assert.deepEqual([...read.keys()], [...new Set(references)]);
  for (const [reference, { value }] of read) assert.equal(reveal(value), `value of ${reference}`);
});

test("secrets/resolve: a document comes back with values and versions", async () => {
  const source = provider(({ name }) => Promise.resolve(`<${name}>`));
  const resolved = await resolveText("a: secret:/x\nb: [secret:/y, secret:/x]\n", source, never);
  assert.equal(reveal(resolved.text), 'a: "<x>"\nb: ["<y>", "<x>"]\n');
  assert.deepEqual(resolved.values.map(reveal), ["<x>", "<y>"]);
  assert.deepEqual(resolved.versions, [
    { reference: "secret:/x", version: "v-x" },
    { reference: "secret:/y", version: "v-y" },
  ]);
});

test("secrets/resolve: one failure fails all, and all are told together", async () => {
  const source = provider(({ reference }) => {
    if (reference === "secret:/b") {
      return Promise.reject(new Fault("unavailable", `Cannot read secret "${reference}": b`));
    }
    if (reference === "secret:/c") return Promise.reject(new Fault("denied", `Cannot read secret "${reference}": c`));
    return Promise.resolve(CANARY);
  });
  const fault = await faultOf(resolveText("[secret:/a, secret:/b, secret:/c]", source, never));
  assert.equal(fault.code, "denied", "it is unavailable only if another try may help");
  assert.match(fault.message, /^Cannot resolve 2 of 3 secret references: .*"secret:\/b".*"secret:\/c"/);
  assert.deepEqual(failuresOf(fault).map(({ code }) => code), ["unavailable", "denied"]);
  assert.ok(!Deno.inspect(fault, { depth: 9 }).includes(CANARY));
});

test("secrets/resolve: nothing is requested while any reference is malformed", async () => {
  let asked = 0;
  const source = provider(() => Promise.resolve(`${asked++}`));
  const fault = await faultOf(resolveText("[secret:/ok, secret:/a/../b, secret:/v?version=1]", source, never));
  assert.equal(fault.code, "invalid");
  assert.equal(failuresOf(fault).length, 2);
  assert.match(fault.message, /cannot climb.*no versions/);
  assert.equal(asked, 0);
});

test("secrets/resolve: what is no fault is told by its class only", async () => {
  const source = provider(() => Promise.reject(new TypeError(`bad ${CANARY}`)));
  const fault = await faultOf(resolveText("a: secret:/x", source, never));
  assert.equal(fault.code, "internal");
  assert.match(fault.message, /Cannot read secret "secret:\/x" from file: unexpected TypeError/);
  assert.ok(!Deno.inspect(fault, { depth: 9 }).includes(CANARY));
});

test("secrets/resolve: an abort passes as the signal's reason even if the provider sleeps", async () => {
  const stop = new AbortController();
  const reason = new Error("stopped");
  const source = provider(() => {
    queueMicrotask(() => stop.abort(reason));
    return new Promise(() => {});
  });
  const work = resolveAll(["secret:/a", "secret:/b"], source, {}, stop.signal);
  await assert.rejects(work, (error) => error === reason);
  await assert.rejects(resolveAll([], source, {}, stop.signal), (error) => error === reason);
});

test("secrets/resolve: what is not read by the deadline is unavailable", async () => {
  const deadline = new AbortController();
  const source = provider(({ reference }) => {
    if (reference === "secret:/fast") return Promise.resolve("x");
    queueMicrotask(() => deadline.abort());
    return new Promise(() => {});
  });
  const work = resolveAll(["secret:/fast", "secret:/slow"], source, { deadline: deadline.signal }, never);
  const fault = await faultOf(work);
  assert.ok(isFault(fault, "unavailable"));
  assert.match(fault.message, /"secret:\/slow" from file: no answer within the deadline/);
});
