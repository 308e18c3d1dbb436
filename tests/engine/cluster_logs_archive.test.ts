/** Logs that only the Argo Server still has, over its own bytes (Argo Workflows 3.7). */
import assert from "node:assert/strict";
import { createArgoArchive } from "../../adapters/engine/cluster/logs/archive.ts";
import { readRunLog } from "../../adapters/engine/cluster/logs/read.ts";
import { createTrack } from "../../adapters/engine/cluster/logs/track.ts";
import { BEGINNING } from "../../adapters/engine/cluster/logs/cursor.ts";
import { isFault } from "../../mod/fault.ts";
import type { LogPiece } from "../../mod/ports.ts";
import { Secret } from "../../mod/secrets/secret.ts";
import { clock, type Kubelet, line, startKubelet } from "./cluster_logs_kubelet.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const TOKEN = "canary-argo-token";

interface Argo {
  /** By path. */
  readonly answers: Record<string, () => Response>;
  readonly seen: string[];
}

function test(name: string, run: (argo: Argo, kubelet: Kubelet, url: string) => Promise<void>): void {
  Deno.test({
    name: `cluster logs: ${name}`,
    ...safe,
    fn: async () => {
      const argo: Argo = { answers: {}, seen: [] };
      const kubelet = startKubelet();
      const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
        const { pathname } = new URL(request.url);
        argo.seen.push(`${pathname} ${request.headers.get("authorization")}`);
        const notFound = () =>
          Response.json({ code: 5, message: 'workflows.argoproj.io "x" not found' }, { status: 404 });
        return (argo.answers[pathname] ?? notFound)();
      });
      try {
        await run(argo, kubelet, `http://127.0.0.1:${server.addr.port}`);
      } finally {
        await kubelet.close();
        await server.shutdown();
      }
    },
  });
}

async function read(kubelet: Kubelet, url: string, cursor?: string) {
  const token = Secret.of(`Bearer ${TOKEN}\n`);
  const archive = createArgoArchive({ endpoint: `${url}/`, token, fetch, timeoutMs: 2000 }).of("jobs", "hr-run");
  const source = {
    runId: "r",
    access: kubelet.access,
    namespace: "jobs",
    clock,
    log: () => {},
    look: kubelet.look,
    archive,
  };
  const pieces: LogPiece[] = [];
  const signal = new AbortController().signal;
  const options = { follow: true, ...cursor === undefined ? {} : { cursor } };
  for await (const piece of readRunLog(source, options, signal)) pieces.push(piece);
  const end = pieces.at(-1);
  assert(end?.kind === "end");
  return { pieces, end, lines: pieces.flatMap((piece) => piece.kind === "lines" ? piece.lines : []) };
}

const artifacts = [{ name: "main-logs", s3: { key: "hr-run/main.log" } }];
const nodes = {
  "hr-run": { id: "hr-run", type: "Retry", startedAt: "2026-03-01T10:00:00Z", outputs: { artifacts } },
  "hr-run-2": { id: "hr-run-2", type: "Pod", startedAt: "2026-03-01T10:05:00Z", outputs: { artifacts } },
  "hr-run-1": { id: "hr-run-1", type: "Pod", startedAt: "2026-03-01T10:00:00Z", outputs: { artifacts } },
  "hr-run-3": { id: "hr-run-3", type: "Pod", startedAt: null },
};
const workflow = (labels = {}) => () => Response.json({ metadata: { uid: "u-1", labels }, status: { nodes } });
const files = (place: string) => ({
  [`/artifact-files/jobs/${place}/hr-run-1/outputs/main-logs`]: () => new Response("one\r\ntwo\nthree\n"),
  [`/artifact-files/jobs/${place}/hr-run-2/outputs/main-logs`]: () => new Response("again\nunended"),
});
const WHOLE = ["one", "two", "three", "again", "unended"];
const PATH = "/api/v1/workflows/jobs/hr-run";

test("an archived log is whole, and resumed from where the pods' log was left", async (argo, kubelet, url) => {
  kubelet.attempt([line("one", 0), line("two", 1), line("three", 2)]);
  kubelet.isOver = true;
  const { end: { cursor } } = await read(kubelet, url);
  kubelet.attempts.splice(0);
  Object.assign(argo.answers, { [PATH]: workflow(), ...files("workflows/hr-run") });
  const whole = await read(kubelet, url);
  assert.deepEqual([whole.lines, whole.end.reason], [WHOLE, "finished"]);
  assert.deepEqual((await read(kubelet, url, cursor)).lines, ["again", "unended"]);
  for (const piece of whole.pieces) {
    if (piece.kind !== "lines") continue;
    const rest = await read(kubelet, url, piece.cursor);
    assert.deepEqual(rest.lines, WHOLE.slice(WHOLE.indexOf(piece.lines.at(-1) ?? "") + 1));
  }
  assert(argo.seen.every((seen) => seen.endsWith(` Bearer ${TOKEN}`)));
});

test("a Workflow that is gone is found in the archive by its uid", async (argo, kubelet, url) => {
  kubelet.isDeleted = true;
  const labels = { "workflows.argoproj.io/workflow-archiving-status": "Persisted" };
  Object.assign(argo.answers, { [PATH]: workflow(labels), ...files("archived-workflows/u-1") });
  assert.deepEqual((await read(kubelet, url)).lines, WHOLE);
});

test("a log that the archive has not is gone, with where it was sought", async (argo, kubelet, url) => {
  kubelet.isOver = true;
  const none = await read(kubelet, url);
  assert.equal(none.end.reason, "gone");
  assert.match(none.end.message ?? "", /Argo Server at http/);
  // Its files were deleted.
  argo.answers[PATH] = workflow();
  assert.equal((await read(kubelet, url)).end.reason, "gone");
  kubelet.isDeleted = true;
  delete argo.answers[PATH];
  await assert.rejects(read(kubelet, url), (error) => isFault(error, "not_found"));
});

test("an archive that refuses, fails or breaks off is no lost log", async (argo, kubelet, url) => {
  kubelet.isOver = true;
  // Half of it, then the connection breaks.
  const broken = () => {
    let isBegun = false;
    return new ReadableStream<Uint8Array>({
      pull(control) {
        if (isBegun) return control.error(new Error("broken"));
        isBegun = true;
        control.enqueue(new TextEncoder().encode("one\ntw"));
      },
    });
  };
  const path = "/artifact-files/jobs/workflows/hr-run/hr-run-1/outputs/main-logs";
  const rows: [string, () => Response, RegExp][] = [
    [PATH, () => new Response(null, { status: 401 }), /^denied .*ARGO_TOKEN/],
    [PATH, () => Response.json({ code: 7, message: "no" }, { status: 403 }), /^denied .*ARGO_TOKEN/],
    [PATH, () => new Response("<html>", { status: 200 }), /^malformed .*PIPELINE_SERVICE_CLIENT_ENDPOINT/],
    [PATH, () => Response.redirect(`${url}/login`), /^unavailable .*HTTP 302/],
    [path, () => new Response("Internal Server Error", { status: 500 }), /^unavailable .*HTTP 500/],
    [path, () => new Response(broken()), /^unavailable .*(broke|connection)/],
  ];
  for (const [path, answer, says] of rows) {
    Object.assign(argo.answers, { [PATH]: workflow(), [path]: answer });
    await assert.rejects(read(kubelet, url), (error) => {
      assert(isFault(error));
      assert.match(`${error.code} ${error.message}`, says);
      assert(!Deno.inspect(error).includes(TOKEN));
      return true;
    });
  }
  await assert.rejects(read(kubelet, "http://127.0.0.1:1"), (error) => isFault(error, "unavailable"));
});

Deno.test({ name: "cluster logs: a node in local time is read as any other", ...safe }, () => {
  const track = createTrack(BEGINNING, "stop");
  const text = "2026-03-01T12:00:00.000000001+02:00 one\n2026-03-01T12:00:01.000000000+02:00 two";
  assert.deepEqual(track.take(text).lines, ["one", "two"]);
  assert.equal(track.at.stamp, "2026-03-01T10:00:01.000000000Z");
  const again = createTrack(track.at, "stop");
  assert.deepEqual(again.take(`${text}\n2026-03-01T12:00:01.000000000+02:00 three`).lines, ["three"]);
});
