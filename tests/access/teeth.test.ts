/** Sabotaged cluster access: each must fail the check named for it. */
import assert from "node:assert/strict";
import { linesOf } from "../../adapters/cluster/lines.ts";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import type { listAndWatch } from "../../adapters/cluster/watch.ts";
import { Fault, isFault } from "../../mod/fault.ts";
import { type AccessHarness, checks, runCheck } from "../contract/cluster_access.ts";
import { test } from "../limited.ts";
import { fakeHarness } from "./harness.ts";

interface Sabotage {
  what: string;
  fails: string;
  access?(access: ClusterAccess): Partial<ClusterAccess>;
  watch?(watch: typeof listAndWatch): typeof listAndWatch;
  token?: "read once";
}

const sabotages: readonly Sabotage[] = [
  {
    what: "a 403 told as not_found",
    fails: "a forbidden request is denied, with the verb to add",
    access: ({ patch }) => ({
      patch: (...options) =>
        patch(...options).catch((error) => {
          throw isFault(error, "denied") ? new Fault("not_found", error.message) : error;
        }),
    }),
  },
  {
    what: "a POST sent again after its answer was lost",
    fails: "a write whose answer is lost is sent once",
    access: ({ create }) => ({ create: (...options) => create(...options).catch(() => create(...options)) }),
  },
  {
    what: "an abort slept through",
    fails: "an abort passes as the signal's reason",
    access: ({ get }) => ({ get: (target) => get(target, new AbortController().signal) }),
  },
  {
    what: "a refusal that quotes what was sent",
    fails: "a refused Secret shows nothing of its data",
    access: ({ create }) => ({
      create: (target, body, signal) =>
        create(target, body, signal).catch((error) => {
          throw new Fault(error.code, `${error.message} ${JSON.stringify(body)}`);
        }),
    }),
  },
  {
    what: "only the first page listed",
    fails: "a list in pages tells every object once",
    access: ({ page }) => ({
      async *list(...options) {
        yield* (await page(...options)).items;
      },
    }),
  },
  {
    what: "a watcher that tells everything again after 410",
    fails: "after 410 only the difference is told",
    watch: () => naive((resourceVersion) => ({ resourceVersion })),
  },
  {
    what: "a watcher that watches from now and not from its list",
    fails: "an event between list and watch is not lost",
    watch: () => naive(() => ({})),
  },
  {
    what: "a watcher that waits for ever",
    fails: "a half-open watch is given up",
    watch: (watch) => (access, target, options, signal) =>
      watch(access, target, { ...options, silenceMs: 1e8 }, signal),
  },
  {
    what: "a watcher that an exception ends",
    fails: "a watch outlives refusals, and a token that is renewed",
    watch: () => naive((resourceVersion) => ({ resourceVersion })),
  },
  {
    what: "a token that is read once",
    fails: "a watch outlives refusals, and a token that is renewed",
    token: "read once",
  },
];

for (const sabotage of sabotages) {
  test(`cluster access/teeth: ${sabotage.what}`, async () => {
    const check = checks.find(({ name }) => name === sabotage.fails);
    assert.ok(check, `there is no check "${sabotage.fails}"`);
    await assert.rejects(runCheck(check, () => sabotaged(sabotage)), /./, `"${check.name}" let it pass`);
  });
}

async function sabotaged({ access, watch, token }: Sabotage): Promise<AccessHarness> {
  const harness = await fakeHarness({ timeoutMs: 300, ...token ? { token } : {} });
  return {
    ...harness,
    access: { ...harness.access, ...access?.(harness.access) },
    watch: watch?.(harness.watch) ?? harness.watch,
    patienceMs: 4000,
  };
}

/** A watcher as one would write it at first. */
function naive(query: (version: string) => { resourceVersion?: string }): typeof listAndWatch {
  return async function* (access, target, { labelSelector }, signal) {
    for (;;) {
      signal.throwIfAborted();
      const page = await access.page(target, { ...labelSelector ? { labelSelector } : {} }, signal);
      for (const object of page.items) yield { kind: "added", object };
      yield { kind: "listed" };
      const body = await access.open(
        "watch",
        target,
        { watch: 1, labelSelector, ...query(page.resourceVersion) },
        signal,
      );
      for await (const line of linesOf(body, 1e8, signal)) {
        const { type, object } = JSON.parse(line);
        if (type === "ADDED") yield { kind: "added", object };
        if (type === "MODIFIED") yield { kind: "modified", object };
        if (type === "DELETED") yield { kind: "deleted", uid: object.metadata.uid, name: object.metadata.name, object };
      }
    }
  };
}
