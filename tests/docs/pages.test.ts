/** The pages as a whole: links lead somewhere, nothing lies unlisted, decisions keep their form. */
import assert from "node:assert/strict";
import { linksOf } from "./markdown.ts";

const safe = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const ROOT = new URL("../../", import.meta.url);
const pages = ["", "docs/", "docs/decisions/", "bench/", "examples/protocol/"].flatMap((folder) =>
  [...Deno.readDirSync(new URL(folder, ROOT))].filter(({ name }) => name.endsWith(".md")).map(({ name }) =>
    folder + name
  )
);
const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

Deno.test({ name: "pages: every relative link leads to a file, every anchor to a heading", ...safe }, () => {
  for (const page of pages) {
    const text = read(page);
    for (const link of linksOf(text)) {
      assert.ok(exists(new URL(link, new URL(page, ROOT))), `${page} links to ${link}`);
    }
    const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => anchorOf(title));
    for (const [, anchor = ""] of text.matchAll(/\]\(#([^)]+)\)/g)) {
      assert.ok(anchors.includes(anchor), `${page} links to #${anchor}`);
    }
  }
});

Deno.test({ name: "pages: docs/README.md lists every page and every decision", ...safe }, () => {
  const listed = linksOf(read("docs/README.md"));
  const there = pages.filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
  for (const page of there) assert.ok(listed.includes(page.slice("docs/".length)), `${page} is not listed`);
});

Deno.test({ name: "pages: decisions are numbered without a gap and say context, choice, consequence", ...safe }, () => {
  const decisions = pages.filter((page) => page.startsWith("docs/decisions/")).sort();
  for (const [index, page] of decisions.entries()) {
    const number = String(index + 1).padStart(4, "0"), text = read(page);
    assert.match(page, new RegExp(`/${number}-[a-z0-9-]+\\.md$`));
    assert.match(text, new RegExp(`^# ${index + 1}\\. `));
    for (const part of ["Context", "Choice", "Consequence"]) {
      assert.ok(text.includes(`**${part}.**`), `${page}: ${part}`);
    }
    assert.ok(text.split("\n").length <= 60, `${page} is longer than a page`);
  }
});

/** As the usual renderers make them: lower case, no punctuation, dashes for blanks. */
function anchorOf(title: string): string {
  return title.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
}

function exists(url: URL): boolean {
  try {
    return Deno.statSync(url) !== undefined;
  } catch {
    return false;
  }
}
