/** Buttons that ask the control plane for something. */
import type { PageDocument } from "./dom.ts";
import type { Voice } from "./voice.ts";

declare const document: PageDocument;

/**
 * Makes every `data-post` button one POST; its answer is said, and a run that came of it is opened. Runs in the browser
 * (script.ts): uses nothing from outside itself but the browser's globals.
 */
export function takeActions(voice: Voice, refresh: () => void): void {
  const busy = new Set<string>();
  document.addEventListener("click", (event) => {
    const button = event.target?.closest("button[data-post]");
    const path = button?.dataset.post;
    if (!button || !path || busy.has(path)) return;
    busy.add(path);
    // Not `disabled`: that would take the focus away from who came here by keyboard.
    button.setAttribute("aria-disabled", "true");
    post(path, button.dataset.body ?? "", button.dataset.done ?? "Done.").catch((error) =>
      voice.complain(`The control plane did not answer (${error.message}). Nothing may have happened; try again.`)
    ).finally(() => {
      busy.delete(path);
      button.removeAttribute("aria-disabled");
      refresh();
    });
  });

  async function post(path: string, body: string, done: string): Promise<void> {
    const headers: Record<string, string> = { accept: "application/json, application/problem+json" };
    if (body !== "") headers["content-type"] = "application/json";
    const init: RequestInit = { method: "POST", headers, ...(body === "" ? {} : { body }) };
    const response = await fetch(path, { ...init, signal: AbortSignal.timeout(30_000) });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) {
      voice.say(done);
      const mine = location.pathname === `/runs/${answer?.runId}`;
      if (typeof answer?.runId === "string" && !mine) location.assign(`/runs/${encodeURIComponent(answer.runId)}`);
    } else if (response.status === 401) {
      voice.complain("Your session has ended. Sign in again.");
    } else {
      voice.complain(answer?.detail || answer?.title || `The control plane answered ${response.status}.`);
    }
  }
}
