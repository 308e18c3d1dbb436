/** A run's log, while it is written. */
import type { PageDocument, PageElement } from "./dom.ts";

declare const document: PageDocument;
declare function requestAnimationFrame(callback: () => void): number;

/**
 * Follows the log of the run that `#log` names, keeping its last lines. Runs in the browser (script.ts): uses nothing
 * from outside itself but the browser's globals.
 */
export function followLog(): void {
  const KEPT_LINES = 5000;
  const END: Record<string, string> = {
    finished: "Complete.",
    gone: "The log is gone: the run's pod or file no longer exists.",
    "not-following": "This is all there is; the engine cannot follow.",
    failed: "The log cannot be read",
  };
  const log = document.querySelector("#log");
  const state = document.querySelector("#log-state");
  const toEnd = document.querySelector("#log-end");
  const again = document.querySelector("#log-again");
  if (log === null || state === null || toEnd === null || again === null) return;

  let waiting: PageElement[] = [];
  let drawing = false;
  let dropped = 0;
  let shown = 0;
  let following = true;
  let status = "Opening…";
  let cursor = "";
  let retries = 0;

  toEnd.addEventListener("click", () => {
    following = true;
    toEnd.hidden = true;
    log.scrollTop = log.scrollHeight;
    log.focus();
  });
  // Only the reader's own scrolling lets go: what we append moves the end away without moving the reader.
  log.addEventListener("scroll", () => {
    following = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    toEnd.hidden = following;
  });
  again.addEventListener("click", () => {
    log.replaceChildren();
    [waiting, dropped, shown, cursor, retries] = [[], 0, 0, "", 0];
    again.hidden = true;
    open();
  });
  open();

  function open(): void {
    const query = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const run = encodeURIComponent(log!.dataset.runId ?? "");
    const source = new EventSource(`/api/v1/runs/${run}/log/events${query}`);
    source.addEventListener("lines", (event) => {
      const data = JSON.parse(event.data);
      cursor = data.cursor;
      status = "Following.";
      for (const line of data.lines) add(line, "");
    });
    source.addEventListener("gap", (event) => {
      const { from, to } = JSON.parse(event.data);
      add(`— a part of the log is missing here, from ${from} to ${to}: it was gone before it could be read —`, "gap");
    });
    source.addEventListener("end", (event) => {
      const { reason, message } = JSON.parse(event.data);
      end(
        source,
        (END[reason] ?? `Ended: ${reason}.`) + (reason === "failed" ? `: ${message ?? "no reason given"}` : ""),
      );
    });
    source.onopen = () => {
      retries = 0;
      tell("Following; no line yet.");
    };
    source.onerror = () => {
      // Left to itself, the browser would begin again from the first line.
      source.close();
      if (++retries > 8) return end(source, "The log cannot be opened. The plain text may say why.");
      tell("The link is lost; trying again…");
      setTimeout(open, Math.min(15_000, 500 * 2 ** retries));
    };
  }

  function end(source: EventSource, text: string): void {
    source.close();
    again!.hidden = false;
    tell(text);
  }

  function add(text: string, kind: string): void {
    const line = document.createElement("div");
    line.className = kind;
    line.textContent = text === "" ? "\u200b" : text;
    waiting.push(line);
    // A tab in the background draws nothing: what waits is bounded too.
    if (waiting.length > 2 * KEPT_LINES) dropped += waiting.splice(0, waiting.length - KEPT_LINES).length;
    if (!drawing) requestAnimationFrame(draw);
    drawing = true;
  }

  function draw(): void {
    drawing = false;
    const lines = document.createDocumentFragment();
    if (waiting.length > KEPT_LINES) dropped += waiting.splice(0, waiting.length - KEPT_LINES).length;
    lines.append(...waiting);
    shown += waiting.length;
    waiting = [];
    log!.append(lines);
    for (; shown > KEPT_LINES; shown--, dropped++) log!.firstElementChild?.remove();
    if (following) log!.scrollTop = log!.scrollHeight;
    tell(status);
  }

  function tell(text: string): void {
    status = text;
    const lines = shown === 0 ? "" : ` ${shown} line${shown === 1 ? "" : "s"} shown`;
    const older = dropped === 0 ? "" : `, the last of ${shown + dropped}: the plain text has all`;
    const full = `${text}${lines}${older}${lines === "" ? "" : "."}`;
    if (state!.textContent !== full) state!.textContent = full;
  }
}
