import assert from "node:assert/strict";
import { STYLE } from "../../control-plane/web/style.ts";

/** Pairs of text and ground that occur on a page. */
const PAIRS = [
  ...["ink", "soft", "accent", "warn", "bad"].flatMap((text) => ["ground", "surface"].map((ground) => [text, ground])),
  ["ink", "sunken"],
  ["on-accent", "accent"],
  ...["good", "bad", "warn", "busy", "idle"].map((tone) => [tone, `${tone}-ground`]),
];

/** https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(color: string): number {
  const digits = color.length === 4 ? [...color.slice(1)].map((digit) => digit + digit).join("") : color.slice(1);
  const [red, green, blue] = [0, 2, 4].map((at) => {
    const share = parseInt(digits.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light! + 0.05) / (dark! + 0.05);
}

Deno.test("every text stands out from its ground by 4.5 : 1, and every bar from its track by 2 : 1, light and dark", () => {
  const [light, dark] = STYLE.split("@media (prefers-color-scheme: dark)").map((part) => {
    return new Map(Array.from(part.matchAll(/--([a-z-]+): (#[0-9a-f]{3,6});/g), ([, name, color]) => [name!, color!]));
  });
  for (const scheme of [light!, dark!]) {
    const told = (least: number, text: string, ground: string) => {
      const ratio = contrast(scheme.get(text) ?? "#000", scheme.get(ground) ?? "#000");
      assert.ok(ratio >= least, `${text} on ${ground}: ${ratio.toFixed(2)} in ${scheme === light ? "light" : "dark"}`);
    };
    for (const [text, ground] of PAIRS) told(4.5, text!, ground!);
    for (const tone of ["good", "bad", "warn", "busy", "idle"]) told(2, `${tone}-bar`, "sunken");
  }
});
