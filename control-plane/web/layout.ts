/** The frame of every page. */
import { type Content, type Html, html } from "./html.ts";

/** What a page is made of. */
export interface Page {
  title: string;
  /** The way up, outermost first; the page itself is not part of it. */
  trail: readonly (readonly [text: string, path: string])[];
  /** Which changes this page shows: those that carry this id; without it, all of them. */
  watch?: { agentId: string } | { pipelineId: string } | { runId: string };
  /** How often the page is fetched anew while something on it grows by itself. */
  refreshSeconds?: number;
  body: Content;
}

/** What the frame needs besides the page. */
export interface Frame {
  now: Date;
  /** Addresses of the assets, with the digest of their content. */
  assets: { style: string; script: string };
  /** What stands at the end of the header: how this reader is let in. */
  session: Content;
}

/** The whole document. Whatever has `data-live` is kept fresh by the script. */
export function documentOf(page: Page, { now, assets, session }: Frame): Html {
  const watch = Object.entries(page.watch ?? {}).map(([key, id]) =>
    html`
      data-watch="${key}" data-watch-id="${id}"
    `
  );
  return html`
    <!DOCTYPE html>
    <html lang="en" data-now="${now.toISOString()}">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>${page.title} · Hybrid Ingestion</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="${assets.style}">
        <script src="${assets.script}" defer></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="top">
          <a class="brand" href="/"><span aria-hidden="true">⇄</span> Hybrid Ingestion</a>
          <nav aria-label="Main"><a href="/" ${page.trail.length === 0 && html`
            aria-current="page"
          `}>Ingestion Runners</a></nav>
          <div class="session">${session}</div>
        </header>
        <p id="link" class="strip" role="status" hidden></p>
        <p id="said" class="toast" role="status" aria-live="polite"></p>
        <main id="main" tabindex="-1" ${watch} ${page.refreshSeconds !== undefined && html`
          data-refresh-seconds="${page.refreshSeconds}"
        `}>
          ${page.trail.length > 0 && trailOf(page)} ${page.body}
        </main>
        <p class="strip without-script">
          Without JavaScript this page can be read, but does not follow changes, and has no buttons.
        </p>
      </body>
    </html>
  `;
}

function trailOf({ trail, title }: Page): Html {
  return html`
    <nav aria-label="Breadcrumb" class="trail"><ol>${trail.map(([text, path]) =>
      html`
        <li><a href="${path}">${text}</a></li>
      `
    )}<li aria-current="page">${title}</li></ol></nav>
  `;
}
