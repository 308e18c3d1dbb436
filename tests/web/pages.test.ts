import assert from "node:assert/strict";
import fc from "fast-check";
import { createPages } from "../../control-plane/adapters/http/pages.ts";
import { dataOf, FAILED, NOW, PAGES, type Scene, scene } from "./scene.ts";

const ADDRESSES = [...PAGES, "/login"];

async function get(
  path: string,
  from: Scene = scene(),
  init?: RequestInit,
  open = true,
): Promise<Response | undefined> {
  const url = new URL(path, "http://page.test");
  return await createPages(dataOf(from), { now: () => NOW })(new Request(url, init), url, { open });
}

async function textOf(path: string, from?: Scene): Promise<string> {
  const response = await get(path, from);
  assert.ok(response !== undefined, `${path} is not a page`);
  return await response.text();
}

/** Every tag and attribute of a document; fails on a "<" that begins none. */
function tagsOf(page: string): { name: string; attributes: Map<string, string> }[] {
  const tags: { name: string; attributes: Map<string, string> }[] = [];
  const rest = page.replace(
    /<(!DOCTYPE|\/?[a-z][a-z0-9]*)((?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*)\s*\/?>/g,
    (_, name, text) => {
      const attributes = new Map<string, string>();
      for (const [, key, value] of text.matchAll(/([a-zA-Z-]+)(?:="([^"]*)")?/g)) attributes.set(key, value ?? "");
      tags.push({ name, attributes });
      return "";
    },
  );
  const stray = rest.indexOf("<");
  assert.equal(stray, -1, `stray markup: ${rest.slice(stray, stray + 80)}`);
  return tags;
}

/** What a browser would run or load, and attributes that no text may ever make. */
function assertHarmless(page: string): void {
  const tags = tagsOf(page);
  const scripts = tags.filter(({ name }) => name === "script").map(({ attributes }) => attributes.get("src"));
  assert.equal(scripts.length, 1);
  assert.match(scripts[0]!, /^\/assets\/app\.js\?v=[0-9a-f]{16}$/);
  for (const { name, attributes } of tags) {
    assert.ok(!["iframe", "object", "embed", "base", "img", "style", "foreignObject"].includes(name), name);
    for (const [key, value] of attributes) {
      assert.ok(!/^(on|style$|srcdoc$|formaction$)/i.test(key), `attribute ${key}`);
      if (["href", "src", "action", "data-post"].includes(key)) {
        assert.match(value, /^(#|data:,$|\/(?![/\\]))/, `${key}="${value}"`);
        assert.ok(!/\/\.{1,2}(\/|$)/.test(value), `${key}="${value}"`);
      }
    }
  }
}

Deno.test("every page is well-formed, with one main heading, landmarks, and headed tables", async () => {
  for (const path of ADDRESSES) {
    const page = await textOf(path);
    assertHarmless(page);
    const tags = tagsOf(page);
    const count = (name: string) => tags.filter((tag) => tag.name === name).length;
    for (const name of ["h1", "main", "header", "title"]) assert.ok(count(name) >= 1, `${path}: ${name}`);
    assert.equal(count("h1"), 1, path);
    for (const { name, attributes } of tags) {
      if (name === "th") assert.match(attributes.get("scope") ?? "", /^(col|row)$/);
      if (name === "button") assert.match(attributes.get("type") ?? "", /^(button|submit)$/);
    }
    const ids = tags.flatMap(({ attributes }) => attributes.get("id") ?? []);
    assert.equal(new Set(ids).size, ids.length, `${path}: an id occurs twice in ${ids}`);
  }
});

Deno.test("hostile text in every field of every view changes no page's markup", async () => {
  const payload = fc.constantFrom(
    "<script>alert(1)</script>",
    `"><img src=x onerror=alert(1)>`,
    `' onmouseover='alert(1)`,
    "javascript:alert(1)",
    "//evil.test/",
    "../../login",
    "..",
    "</title><svg onload=alert(1)>",
    "</textarea>&lt;script&gt;",
    "\u0000\ud800\u202e",
    "${7*7}{{7*7}}",
  );
  const hostile = fc.oneof(payload, fc.tuple(fc.string({ unit: "binary" }), payload).map((parts) => parts.join("")));
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(hostile), async (texts) => {
      const next = () => texts.next().value;
      const world = hostileScene(next);
      const { runners: [runner], pipelines: [pipeline], runs } = world;
      const paths = [
        "/",
        `/runners/${encodeURIComponent(runner!.agentId.toWellFormed())}`,
        `/pipelines/${encodeURIComponent(pipeline!.pipelineId.toWellFormed())}`,
        ...runs.map(({ runId }) => `/runs/${encodeURIComponent(runId.toWellFormed())}`),
        `/login?failed&next=${encodeURIComponent(next().toWellFormed())}`,
        `/runs/${encodeURIComponent(next().toWellFormed())}-missing`,
      ];
      // The data answers whatever is asked for, so that an id such as ".." is drawn too.
      const data = {
        ...dataOf(world),
        runner: () => Promise.resolve(runner),
        pipeline: () => Promise.resolve(pipeline),
        runs: () => Promise.resolve(runs),
      };
      const pages = createPages(data, { now: () => NOW });
      for (const path of paths) {
        const url = new URL(path, "http://page.test");
        const response = await pages(new Request(url), url, { open: true });
        if (response !== undefined) assertHarmless(await response.text());
      }
    }),
    { numRuns: 60 },
  );
});

/** The scene with every text replaced, but for those from a closed set. */
function hostileScene(next: () => string): Scene {
  const closed = new Set(["status", "deployment", "state", "kind", "origin"]);
  const replace = (value: unknown, key: string, inRun: boolean): unknown => {
    if (typeof value === "string") return closed.has(key) && (inRun || key !== "kind") ? value : next();
    if (Array.isArray(value)) return value.map((item) => replace(item, "", inRun));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [
        key === "facts" ? next() : name,
        replace(member, name, inRun),
      ]),
    );
  };
  const { runners, pipelines, runs } = scene();
  return {
    runners: replace(runners, "", false) as Scene["runners"],
    pipelines: replace(pipelines, "", false) as Scene["pipelines"],
    runs: replace(runs, "", true) as Scene["runs"],
  };
}

Deno.test("pages say what they are about", async () => {
  const home = await textOf("/");
  for (const text of ["Ingestion Runners", "1 of 2 active", "Inactive", "No heartbeat for 4 minutes", "argo"]) {
    assert.ok(home.includes(text), text);
  }
  const runner = await textOf("/runners/oslo");
  for (const text of ["7.4 s behind ours", "Token expires", "in 5 d", "No pipelines on this runner", "34 s"]) {
    assert.ok(runner.includes(text), text);
  }
  const pipeline = await textOf("/pipelines/warehouse_metadata");
  for (const text of ["0 */2 * * *", "Europe/Berlin", "warehouse-password", "Disable schedule"]) {
    assert.ok(pipeline.includes(text), text);
  }
  const run = await textOf(`/runs/${FAILED}`);
  for (const text of ["OOMKilled", "137", "sampling table events", "9 min 1 s", "<svg", "<desc", "8 min 51 s"]) {
    assert.ok(run.includes(text), text);
  }
  assert.ok(!run.includes("Stop</button>"), "an ended run has no Stop");
});

Deno.test("the header says how the reader was let in", async () => {
  assert.match(await textOf("/"), /Open: no sign-in/);
  const signedIn = await (await get("/", scene(), {}, false))!.text();
  assert.match(signedIn, /<form method="post" action="\/logout">/);
  const asking = await (await get("/login?next=/runs/1", scene(), {}, false))!.text();
  assert.doesNotMatch(asking, /logout/);
  assert.match(asking, /name="next" value="\/runs\/1"/);
});

Deno.test("with nothing there yet, the page says what to do first", async () => {
  const page = await textOf("/", { runners: [], pipelines: [], runs: [] });
  assert.match(page, /token issue/);
  assert.match(page, /hybrid-runner run/);
});

Deno.test("what does not exist gets a page that says so; what is no page gets none", async () => {
  for (const path of ["/runs/0", "/pipelines/0", "/runners/0"]) {
    const response = await get(path);
    assert.equal(response?.status, 404);
    assert.match(await response!.text(), /No such/);
  }
  for (const path of ["/nope", "/runs/", "/runs/a/b", "/runs/%ff", "/assets/other.js", "/api/v1/runs"]) {
    assert.equal(await get(path), undefined, path);
  }
  assert.equal(await get("/login", scene(), { method: "POST" }), undefined, "signing in is the server's");
});

Deno.test("pages carry a strict content security policy and are not stored", async () => {
  for (const path of [...ADDRESSES, "/runs/0"]) {
    const { headers } = (await get(path))!;
    assert.match(headers.get("content-security-policy")!, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.doesNotMatch(headers.get("content-security-policy")!, /unsafe/);
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  }
});

Deno.test("assets are named by their content, kept for ever under that name, and asked for anew under any other", async () => {
  const page = await textOf("/");
  for (const [, address] of page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)) {
    const named = (await get(address!))!;
    assert.equal(named.headers.get("cache-control"), "public, max-age=31536000, immutable");
    const etag = named.headers.get("etag")!;
    assert.ok((await named.text()).length > 1000);

    const plain = (await get(address!.split("?")[0]!))!;
    assert.equal(plain.headers.get("cache-control"), "no-cache");
    const known = (await get(address!.split("?")[0]!, scene(), { headers: { "if-none-match": `W/${etag}, "x"` } }))!;
    assert.equal(known.status, 304);
    assert.equal(await known.text(), "");
  }
});

Deno.test("the script is one that a browser can parse", async () => {
  const script = await (await get("/assets/app.js"))!.text();
  assert.ok(new Function(script) instanceof Function);
});
