import assert from "node:assert/strict";
import fc from "fast-check";
import { html, pathOf } from "../../control-plane/web/html.ts";

const unescape = (text: string) =>
  text.replace(
    /&(amp|lt|gt|quot|#39);/g,
    (_, name) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" }[name as string])!,
  );

Deno.test("any text in a template comes out as that text, and as no markup", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.oneof(fc.constantFrom(...`&<>"'`), fc.string({ unit: "binary", maxLength: 2 })) }),
      (text) => {
        const inner = html`
          <p title="${text}">${text}</p>
        `.toString();
        const match = /^<p title="([^"<>]*)">([^<>]*)<\/p>$/.exec(inner);
        assert.ok(match !== null, inner);
        assert.equal(unescape(match[1]!), text);
        assert.equal(unescape(match[2]!), text);
      },
    ),
  );
});

Deno.test("markup is nested as it is, lists are joined, undefined and false leave nothing behind", () => {
  const item = (text: string) =>
    html`
      <li>${text}</li>
    `;
  assert.equal(
    html`
      <ul>${["a<", "b"].map(item)}${undefined}${false}${0}</ul>
    `.toString(),
    "<ul><li>a&lt;</li><li>b</li>0</ul>",
  );
});

Deno.test("the line breaks at a template's ends are left out, those of its contents are not", () => {
  const item = (text: string) =>
    html`
      <b>${text}</b>
    `;
  assert.equal(item("x").toString(), "<b>x</b>");
  assert.equal(item("\n x \n").toString(), "<b>\n x \n</b>");
});

Deno.test("a path's segments cannot leave their place", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(".", "..", "/", "\\", "?", "#", "%2e")),
      (id) => {
        fc.pre(id !== "");
        const path = pathOf`/api/v1/runs/${id}/stop`;
        const { pathname, search, hash, host } = new URL(path, "http://here");
        assert.match(pathname, /^\/api\/v1\/runs\/[^/]+\/stop$/);
        assert.equal(`${search}${hash}${host}`, "here");
      },
    ),
  );
});
