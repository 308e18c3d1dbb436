/** Pages without data: signing in, and what is not there. */
import { type Content, html } from "./html.ts";
import type { Page } from "./layout.ts";

/** Asks for an access token. `failed`: the one before was not taken. */
export function loginPage({ failed, next }: { failed: boolean; next: string }): Page {
  return {
    title: "Sign in",
    trail: [],
    body: html`
      <div class="narrow">
        <h1>Sign in</h1>
        ${failed && html`
          <p class="problem" role="alert">This token was not accepted. It may have expired, or be revoked.</p>
        `}
        <form method="post" action="/login">
          <input type="hidden" name="next" value="${next}">
          <label for="token">Access token</label>
          <input
            id="token"
            name="token"
            type="password"
            autocomplete="current-password"
            spellcheck="false"
            required
            autofocus${failed && html`
              aria-invalid="true"
            `}
          >
          <p class="hint">From <code>hybrid-control-plane token issue --operator NAME</code>.</p>
          <button type="submit" class="primary">Sign in</button>
        </form>
      </div>
    `,
  };
}

/** Says that there is no such thing, and where to go. */
export function missingPage(what: "runner" | "pipeline" | "run", id: string): Page {
  return {
    title: `No such ${what}`,
    trail: [["Ingestion Runners", "/"]],
    body: html`
      <div class="narrow">
        <h1>No such ${what}</h1>
        <p>
          This control plane knows no ${what} <code>${id}</code>. It may have been deleted, or the address is not
          complete.
        </p>
        <p><a href="/">All runners</a></p>
      </div>
    `,
  };
}

/** What the header says of how its reader was let in; nothing on the page that asks. */
export function sessionNote(session: { open: boolean } | undefined): Content {
  if (session === undefined) return undefined;
  if (session.open) {
    return html`
      <span class="hint">Open: no sign-in</span>
    `;
  }
  return html`
    <form method="post" action="/logout"><button type="submit">Sign out</button></form>
  `;
}
