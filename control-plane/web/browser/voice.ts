/** What the page says to its reader: in a corner for the eye, through a live region for the ear. */
import type { PageDocument } from "./dom.ts";

declare const document: PageDocument;

/** Says things. */
export interface Voice {
  /** Something happened. Gone after a while. */
  say(text: string): void;
  /** Something that was asked for went wrong. Stays until the next word. */
  complain(text: string): void;
  /** How the link to the control plane is; empty while it is well. */
  link(text: string): void;
}

/** Runs in the browser (script.ts): uses nothing from outside itself but the browser's globals. */
export function createVoice(): Voice {
  const said = document.querySelector("#said");
  const strip = document.querySelector("#link");
  let timer: number | undefined;
  const show = (text: string, tone: string) => {
    if (said === null) return;
    clearTimeout(timer);
    said.className = `toast ${tone}`;
    said.textContent = text;
  };
  return {
    say(text) {
      show(text, "");
      timer = setTimeout(() => show("", ""), 8000);
    },
    complain: (text) => show(text, "bad"),
    link(text) {
      if (strip === null || strip.textContent === text) return;
      strip.textContent = text;
      strip.hidden = text === "";
    },
  };
}
