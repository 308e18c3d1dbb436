/** As much of Markdown as the tests of the pages need. */

/** The text under one heading, up to the next of the same level or above. */
export function section(page: string, level: number, title: string): string {
  const lines = page.split("\n");
  const start = lines.indexOf(`${"#".repeat(level)} ${title}`);
  if (start < 0) throw new Error(`Cannot find the heading ${title}`);
  const next = lines.findIndex((line, at) => at > start && /^#+ /.test(line) && line.indexOf(" ") <= level);
  return lines.slice(start + 1, next < 0 ? undefined : next).join("\n");
}

/** The cells of every table's rows, without the headings. */
export function cellsOf(text: string): string[][] {
  const rows: string[][] = [];
  let isBody = false;
  for (const line of text.split("\n")) {
    if (!line.startsWith("|")) isBody = false;
    else if (/^\|[\s|:-]+\|$/.test(line)) isBody = true;
    else if (isBody) rows.push(line.slice(1, -1).split("|").map((cell) => cell.trim()));
  }
  return rows;
}

/** Relative links, without their anchors. */
export function linksOf(page: string): string[] {
  const prose = page.replace(/```[\s\S]*?```/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link.replace(/#.*$/, ""))
    .filter((link) => link !== "" && !/^[a-z]+:/.test(link));
}
