/** The checks of cluster access, by name. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { ClusterAccess } from "../../adapters/cluster/port.ts";
import type { ApiObject, Target } from "../../adapters/cluster/target.ts";
import type { listAndWatch, WatchEvent } from "../../adapters/cluster/watch.ts";
import { systemClock } from "../../adapters/clock.ts";
import { Fault, type FaultCode } from "../../mod/fault.ts";
import type { FakeApiServer } from "../fakes/api_server.ts";
import { until } from "../wait.ts";

/** Access to a namespace that is empty at first. */
export interface AccessHarness {
  access: ClusterAccess;
  /** May do everything, and is never in the way of a fault. */
  readonly admin: ClusterAccess;
  readonly namespace: string;
  watch: typeof listAndWatch;
  /** Takes a verb on config maps away from `access`. */
  deny(verb: string): Promise<void>;
  /** What only a fake can do. */
  readonly faults?: FakeApiServer;
  /** The API server goes away and comes back. */
  readonly restart?: () => Promise<void>;
  /** Longest wait for an event, milliseconds. */
  readonly patienceMs?: number;
  close(): Promise<void>;
}

/** One check. */
export interface AccessCheck {
  readonly name: string;
  readonly needs?: "faults" | "restart";
  run(harness: AccessHarness): Promise<void>;
}

const CANARY = "canary-2f9c61d7-do-not-show";
const never = () => new AbortController().signal;
const maps = ({ namespace }: AccessHarness): Target => ({ apiVersion: "v1", resource: "configmaps", namespace });
const map = (harness: AccessHarness, name: string): Target => ({ ...maps(harness), name });
const body = (name: string, value = "x") => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, labels: { suite: "access" } },
  data: { value },
});
const LABEL = "suite=access";

/** In the order of the tests. */
export const checks: readonly AccessCheck[] = [
  {
    name: "what was created is read, patched and deleted",
    async run(harness) {
      const { access } = harness;
      const made = await access.create(maps(harness), body("one"), never());
      assert.equal((await access.get(map(harness, "one"), never())).metadata.uid, made.metadata.uid);
      const patched = await access.patch(map(harness, "one"), { data: { value: null, more: "y" } }, never());
      assert.deepEqual(patched.data, { more: "y" });
      await access.delete(map(harness, "one"), { propagationPolicy: "Background" }, never());
      await refused("not_found", access.get(map(harness, "one"), never()), /"one"/);
    },
  },
  {
    name: "a name that is taken is conflict",
    async run(harness) {
      await harness.access.create(maps(harness), body("one"), never());
      await refused("conflict", harness.access.create(maps(harness), body("one"), never()), /one.*already exists/);
    },
  },
  {
    name: "an old resource version and another uid are conflict",
    async run(harness) {
      const old = await harness.access.create(maps(harness), body("one"), never());
      await harness.access.patch(map(harness, "one"), { data: { value: "new" } }, never());
      const { resourceVersion } = old.metadata;
      await refused("conflict", harness.access.patch(map(harness, "one"), { metadata: { resourceVersion } }, never()));
      const preconditions = { uid: "00000000-0000-4000-8000-000000000000" };
      await refused("conflict", harness.access.delete(map(harness, "one"), { preconditions }, never()));
    },
  },
  {
    name: "an invalid object is invalid, with its field",
    async run(harness) {
      const fault = await refused(
        "invalid",
        harness.access.create(maps(harness), body("No Name"), never()),
        /RFC 1123/,
      );
      assert.equal(fault.details.path, "metadata.name");
    },
  },
  {
    name: "a forbidden request is denied, with the verb to add",
    async run(harness) {
      await harness.admin.create(maps(harness), body("one"), never());
      await harness.deny("patch");
      const fault = await refused("denied", harness.access.patch(map(harness, "one"), {}, never()), /add to its Role/);
      assert.equal(fault.details.rule, `rbac: patch configmaps in namespace ${harness.namespace}`);
      await harness.access.get(map(harness, "one"), never());
    },
  },
  {
    name: "a kind that is not served is unavailable, and told by discovery",
    async run(harness) {
      const target = { apiVersion: "nowhere.example.com/v1", resource: "unknowns", namespace: harness.namespace };
      const fault = await refused(
        "unavailable",
        harness.access.get({ ...target, name: "x" }, never()),
        /does not serve/,
      );
      assert.equal(fault.details.rule, "not-served");
      assert.deepEqual(await harness.access.served("nowhere.example.com/v1", never()), []);
    },
  },
  {
    name: "a refused Secret shows nothing of its data",
    async run(harness) {
      harness.faults?.fail("create", 400, { echo: true });
      const secret = {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s" },
        // Not base64 and no valid key: whichever is refused, the server is tempted to quote it.
        data: { [`${CANARY} key`]: `${CANARY} !` },
        stringData: { [`${CANARY} other`]: CANARY },
      };
      const target = { ...maps(harness), resource: "secrets" };
      const fault = await refused("invalid", harness.access.create(target, secret, never()));
      assert.doesNotMatch(inspect(fault, { depth: 10 }) + JSON.stringify(fault.details), new RegExp(CANARY));
    },
  },
  {
    name: "a list in pages tells every object once",
    async run(harness) {
      const names = await many(harness, 7);
      const got: string[] = [];
      for await (
        const { metadata } of harness.access.list(maps(harness), { limit: 2, labelSelector: LABEL }, never())
      ) {
        got.push(metadata.name);
      }
      assert.deepEqual(got.sort(), names);
    },
  },
  {
    name: "a list whose pages are forgotten meanwhile is begun anew",
    needs: "faults",
    async run(harness) {
      const names = await many(harness, 5);
      const got: string[] = [];
      for await (const { metadata } of harness.access.list(maps(harness), { limit: 2 }, never())) {
        if (got.push(metadata.name) === 2) harness.faults?.expire();
      }
      assert.deepEqual(got.sort(), names);
    },
  },
  {
    name: "an abort passes as the signal's reason",
    needs: "faults",
    async run(harness) {
      harness.faults?.hang();
      const stop = new AbortController();
      const reason = new Error("enough");
      const asked = harness.access.get(map(harness, "one"), stop.signal);
      await until("the request", () => harness.faults?.seen.some(({ verb }) => verb === "get"));
      stop.abort(reason);
      const began = performance.now();
      await assert.rejects(asked, (error) => error === reason);
      assert.ok(performance.now() - began < 500, "the abort was slept through");
      await assert.rejects(harness.access.get(map(harness, "one"), stop.signal), (error) => error === reason);
    },
  },
  {
    name: "a server that never answers is unavailable",
    needs: "faults",
    async run(harness) {
      harness.faults?.hang();
      await refused("unavailable", harness.access.create(maps(harness), body("one"), never()), /no answer.*not known/);
    },
  },
  {
    name: "a write whose answer is lost is sent once",
    needs: "faults",
    async run(harness) {
      harness.faults?.breakAfter("create");
      await refused("unavailable", harness.access.create(maps(harness), body("one"), never()), /not known/);
      harness.faults?.fail("create", 503);
      await refused("unavailable", harness.access.create(maps(harness), body("two"), never()));
      assert.equal(harness.faults?.seen.filter(({ verb }) => verb === "create").length, 2);
    },
  },
  {
    name: "reads are tried again, and whatever was turned away with 429 as late as told",
    needs: "faults",
    async run(harness) {
      harness.faults?.fail("get", 503);
      await refused("not_found", harness.access.get(map(harness, "one"), never()));
      harness.faults?.fail("create", 429, { retryAfter: 1 });
      const began = performance.now();
      await harness.access.create(maps(harness), body("one"), never());
      assert.ok(performance.now() - began >= 990, "Retry-After was not honoured");
      harness.faults?.fail("create", 429, { retryAfter: 3600 });
      const fault = await refused("busy", harness.access.create(maps(harness), body("two"), never()));
      assert.equal(fault.details.retryAfterSeconds, 3600);
    },
  },
  {
    name: "a watch tells what is there, then every change in order",
    async run(harness) {
      const names = await many(harness, 3);
      await watching(harness, async ({ events, told }) => {
        await told((event) => event.kind === "listed");
        assert.deepEqual(events.map(spell).sort(), [...names.map((name) => `added ${name}`), "listed"]);
        assert.equal(events.at(-1)?.kind, "listed");
        await harness.access.create(maps(harness), body("new"), never());
        await harness.access.patch(map(harness, "new"), { data: { value: "y" } }, never());
        await harness.access.delete(map(harness, "new"), {}, never());
        await told((event) => event.kind === "deleted");
        assert.deepEqual(events.slice(4).map(spell), ["added new", "modified new", "deleted new"]);
      });
    },
  },
  {
    name: "what leaves the selection is told as deleted, with the object",
    async run(harness) {
      await many(harness, 1);
      await watching(harness, async ({ told }) => {
        await told((event) => event.kind === "listed");
        await harness.access.patch(map(harness, "m0"), { metadata: { labels: { suite: null } } }, never());
        const gone = await told((event) => event.kind === "deleted");
        assert.ok(gone.kind === "deleted" && gone.object !== undefined);
      });
    },
  },
  {
    name: "an event between list and watch is not lost",
    async run(harness) {
      await many(harness, 1);
      const { page } = harness.access;
      let between = true;
      harness.access = {
        ...harness.access,
        page: async (...options) => {
          const answer = await page(...options);
          if (between) await harness.admin.create(maps(harness), body("between"), never());
          between = false;
          return answer;
        },
      };
      await watching(harness, async ({ told }) => {
        await told((event) => spell(event) === "added between");
      });
    },
  },
  {
    name: "a watch without rights is denied before anything was listed",
    async run(harness) {
      await harness.deny("list");
      const events = harness.watch(harness.access, maps(harness), watchOptions, never());
      await refused("denied", events.next().then(() => {}), /cannot list/);
    },
  },
  {
    name: "the abort of a watch passes as the signal's reason",
    async run(harness) {
      const stop = new AbortController();
      const reason = new Error("enough");
      const events = harness.watch(harness.access, maps(harness), watchOptions, stop.signal);
      assert.equal((await events.next()).done, false);
      const next = (async () => {
        for await (const _ of events) void _;
      })();
      setTimeout(() => stop.abort(reason), 50);
      await assert.rejects(next, (error) => error === reason);
    },
  },
  {
    name: "a version that the server has forgotten is listed anew, and nothing repeated",
    async run(harness) {
      await many(harness, 3);
      const { open } = harness.access;
      let first = true;
      harness.access = {
        ...harness.access,
        open: async (verb, target, query, signal) => {
          if (!first) return await open(verb, target, query, signal);
          first = false;
          await harness.admin.create(maps(harness), body("between"), never());
          return await open(verb, target, { ...query, resourceVersion: 1 }, signal);
        },
      };
      await watching(harness, async ({ events, told }) => {
        await told((event) => spell(event) === "added between");
        await harness.admin.create(maps(harness), body("last"), never());
        await told((event) => spell(event) === "added last");
        assert.deepEqual(events.slice(4).map(spell), ["added between", "added last"]);
      });
    },
  },
  {
    name: "after 410 only the difference is told",
    needs: "faults",
    run: (harness) => difference(harness, () => harness.faults?.expire()),
  },
  {
    name: "a watch that ends goes on where it was",
    needs: "faults",
    async run(harness) {
      await difference(harness, () => {});
      // Three objects, two to a page.
      assert.equal(harness.faults?.seen.filter(({ verb }) => verb === "list").length, 2, "it was listed again");
    },
  },
  {
    name: "a half-open watch is given up",
    needs: "faults",
    async run(harness) {
      await many(harness, 1);
      await watching(harness, async ({ told, events }) => {
        await told((event) => event.kind === "listed");
        await until("the watch", () => harness.faults?.watches() === 1);
        harness.faults?.halfOpen();
        await harness.admin.create(maps(harness), body("unheard"), never());
        await told((event) => spell(event) === "added unheard");
        assert.equal(events.length, 3);
      });
    },
  },
  {
    name: "a watch outlives refusals, and a token that is renewed",
    needs: "faults",
    async run(harness) {
      await many(harness, 1);
      await watching(harness, async ({ told }) => {
        await told((event) => event.kind === "listed");
        for (const code of [500, 429, 403, 401]) harness.faults?.fail("watch", code);
        harness.faults?.requireToken("second");
        harness.faults?.cutWatches();
        await told((event) => spell(event) === "added late", async () => {
          await harness.admin.create(maps(harness), body("late"), never());
        });
      });
    },
  },
  {
    name: "a restart of the API server loses and repeats nothing",
    needs: "restart",
    async run(harness) {
      await many(harness, 3);
      await watching(harness, async ({ events, told }) => {
        await told((event) => event.kind === "listed");
        await harness.restart?.();
        await until("the server", () => harness.admin.create(maps(harness), body("after"), never()).then(() => true));
        await told((event) => spell(event) === "added after");
        assert.deepEqual(events.slice(4).map(spell), ["added after"]);
      });
    },
  },
];

const watchOptions = {
  labelSelector: LABEL,
  limit: 2,
  clock: systemClock,
  log: () => {},
  random: { float: () => 0.5 },
  silenceMs: 2000,
  capMs: 500,
};

/** While nobody listens one object is made, one changed, one deleted, and one left alone. */
async function difference(harness: AccessHarness, between: () => void): Promise<void> {
  await many(harness, 3);
  await watching(harness, async ({ events, told }) => {
    await told((event) => event.kind === "listed");
    await until("the watch", () => harness.faults?.watches() === 1);
    harness.faults?.halfOpen();
    await harness.admin.create(maps(harness), body("new"), never());
    await harness.admin.patch(map(harness, "m1"), { data: { value: "changed" } }, never());
    await harness.admin.delete(map(harness, "m2"), {}, never());
    between();
    harness.faults?.cutWatches();
    await told((event) => event.kind === "deleted");
    await harness.admin.create(maps(harness), body("last"), never());
    await told((event) => spell(event) === "added last");
    assert.deepEqual(events.slice(4).map(spell).sort(), ["added last", "added new", "deleted m2", "modified m1"]);
  });
}

interface Watching {
  events: WatchEvent[];
  told(is: (event: WatchEvent) => boolean, first?: () => Promise<void>): Promise<WatchEvent>;
}

/** The work beside a watch that collects; a watch that ends by itself fails the check. */
async function watching(harness: AccessHarness, work: (watching: Watching) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const events: WatchEvent[] = [];
  let broken: unknown;
  const collecting = (async () => {
    for await (const event of harness.watch(harness.access, maps(harness), watchOptions, stop.signal)) {
      events.push(event);
    }
  })().catch((error) => {
    if (!stop.signal.aborted) broken = error;
  });
  try {
    await work({
      events,
      async told(is, first) {
        await first?.();
        return await until("the event", () => {
          if (broken) return undefined;
          return events.find(is);
        }, { patienceMs: harness.patienceMs ?? 30_000 }).catch((error) => {
          throw broken ?? error;
        });
      },
    });
  } finally {
    stop.abort();
    await collecting;
  }
}

function spell(event: WatchEvent): string {
  if (event.kind === "listed") return "listed";
  return `${event.kind} ${event.kind === "deleted" ? event.name : event.object.metadata.name}`;
}

async function many(harness: AccessHarness, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, at) => `m${at}`);
  for (const name of names) await harness.admin.create(maps(harness), body(name), never());
  return names;
}

async function refused(code: FaultCode, promise: Promise<ApiObject | unknown>, says = /^Cannot /): Promise<Fault> {
  const error = await promise.then(() => undefined, (error) => error);
  assert.ok(error instanceof Fault, `no fault: ${inspect(error)}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, says);
  return error;
}
