/** The web page over HTTP: addresses, headers, and the data behind each page. */
import { createHash } from "node:crypto";
import type { PageData } from "../../mod/page_data.ts";
import { documentOf, type Page } from "../../web/layout.ts";
import { loginPage, missingPage, sessionNote } from "../../web/notice_pages.ts";
import { pipelinePage } from "../../web/pipeline_page.ts";
import { runPage } from "../../web/run_page.ts";
import { runnerPage } from "../../web/runner_page.ts";
import { runnersPage } from "../../web/runners_page.ts";
import { SCRIPT } from "../../web/script.ts";
import { STYLE } from "../../web/style.ts";

/** Runs in a list. Older ones are had by REST. */
const RUNS_IN_A_LIST = 50;

/** What is known of who asks. `open`: the control plane asks nobody to sign in. */
export interface PageSession {
  open: boolean;
}

/** Answers GET and HEAD of the web page; undefined for whatever is not part of it. */
export type Pages = (request: Request, url: URL, session: PageSession) => Promise<Response | undefined>;

/** The page over `data`. Who may see it is decided before: here everybody may. */
export function createPages(data: PageData, { now = () => new Date() }: { now?: () => Date } = {}): Pages {
  return async (request, url, session) => {
    if (request.method !== "GET" && request.method !== "HEAD") return undefined;
    const asset = ASSETS.get(url.pathname);
    if (asset !== undefined) return assetResponse(request, url, asset);
    for (const [pattern, route] of ROUTES) {
      const match = pattern.exec(url.pathname);
      const id = match && decoded(match[1] ?? "");
      if (typeof id !== "string") continue;
      const at = now();
      const { page, status } = await route({ data, id, url, now: at });
      return pageResponse(page, status, { now: at, session: url.pathname === "/login" ? undefined : session });
    }
    return undefined;
  };
}

interface Visit {
  data: PageData;
  id: string;
  url: URL;
  now: Date;
}

type Route = (visit: Visit) => Promise<{ page: Page; status: number }>;

const ROUTES: readonly (readonly [RegExp, Route])[] = [
  [/^\/$/, async ({ data, now, url }) => {
    const [runners, runs] = await Promise.all([data.runners(), data.runs({ limit: RUNS_IN_A_LIST })]);
    return found(runnersPage(runners, runs, { now, server: url }));
  }],
  [/^\/runners\/([^/]+)$/, async ({ data, id, now }) => {
    const runner = await data.runner(id);
    if (runner === undefined) return missing("runner", id);
    const [pipelines, runs] = await Promise.all([
      data.pipelines({ agentId: id }),
      data.runs({ agentId: id, limit: RUNS_IN_A_LIST }),
    ]);
    return found(runnerPage(runner, pipelines, runs, now));
  }],
  [/^\/pipelines\/([^/]+)$/, async ({ data, id, now }) => {
    const pipeline = await data.pipeline(id);
    if (pipeline === undefined) return missing("pipeline", id);
    return found(pipelinePage(pipeline, await data.runs({ pipelineId: id, limit: RUNS_IN_A_LIST }), now));
  }],
  [/^\/runs\/([^/]+)$/, async ({ data, id, now }) => {
    const run = await data.run(id);
    return run === undefined ? missing("run", id) : found(runPage(run, now));
  }],
  [/^\/login$/, ({ url }) => {
    const failed = url.searchParams.has("failed");
    return Promise.resolve(found(loginPage({ failed, next: url.searchParams.get("next") ?? "/" })));
  }],
];

function found(page: Page): { page: Page; status: number } {
  return { page, status: 200 };
}

function missing(what: "runner" | "pipeline" | "run", id: string): { page: Page; status: number } {
  return { page: missingPage(what, id), status: 404 };
}

interface Asset {
  text: string;
  type: string;
  digest: string;
}

const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ["/assets/app.css", assetOf(STYLE, "text/css; charset=utf-8")],
  ["/assets/app.js", assetOf(SCRIPT, "text/javascript; charset=utf-8")],
]);

function assetOf(text: string, type: string): Asset {
  return { text, type, digest: createHash("sha256").update(text, "utf8").digest("hex").slice(0, 16) };
}

/** The address that changes with the content, so that it may be kept for ever. */
function addressOf(path: string): string {
  return `${path}?v=${ASSETS.get(path)?.digest}`;
}

function assetResponse(request: Request, url: URL, { text, type, digest }: Asset): Response {
  const etag = `"${digest}"`;
  const named = url.searchParams.get("v") === digest;
  const headers = {
    "content-type": type,
    etag,
    "cache-control": named ? "public, max-age=31536000, immutable" : "no-cache",
    "x-content-type-options": "nosniff",
  };
  const known = request.headers.get("if-none-match")?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  if (known?.some((tag) => tag === etag || tag === "*")) return new Response(null, { status: 304, headers });
  return new Response(text, { headers });
}

/** No inline script or style, nothing from elsewhere, no frame around it. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  // Not "no-referrer": with it, browsers send forms with the origin "null", which cannot be told from a stranger's.
  "referrer-policy": "same-origin",
};

function pageResponse(
  page: Page,
  status: number,
  { now, session }: { now: Date; session: PageSession | undefined },
): Response {
  const assets = { style: addressOf("/assets/app.css"), script: addressOf("/assets/app.js") };
  const text = documentOf(page, { now, assets, session: sessionNote(session) }).toString();
  return new Response(text, { status, headers: PAGE_HEADERS });
}

/** Undefined for an address that is not well-formed. */
function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
