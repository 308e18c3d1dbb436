/** Keeps the page as the control plane has it: events say that something changed, the page itself is fetched anew. */
import type { PageDocument, PageElement, PageNode, PageParser } from "./dom.ts";
import type { Voice } from "./voice.ts";

declare const document: PageDocument;
declare const DOMParser: PageParser;

/**
 * Follows `/api/v1/events` and patches every `data-live` region; answers a function that asks for a fresh page at once.
 * Runs in the browser (script.ts): uses nothing from outside itself but the browser's globals.
 */
export function keepFresh(voice: Voice, ageOf: (instantMs: number, nowMs: number) => string): () => void {
  const main = document.querySelector("#main");
  // This computer's clock may be wrong: ages are counted from the server's.
  const offset = Date.parse(document.documentElement.dataset.now ?? "") - Date.now() || 0;
  const LEAST_PAUSE = 1000;
  let planned: number | undefined;
  let fetching = false;
  let again = false;
  let fetchedAt = 0;
  let over = false;

  const plan = (delay: number) => {
    planned ??= setTimeout(refresh, Math.max(delay, fetchedAt + LEAST_PAUSE - Date.now()));
  };

  async function refresh(): Promise<void> {
    planned = undefined;
    again = fetching;
    if (fetching || over || document.querySelector("[data-live]") === null) return;
    fetching = true;
    fetchedAt = Date.now();
    try {
      const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(15_000) });
      if (response.status === 401 || new URL(response.url).pathname === "/login") {
        finish("Your session has ended: this page is stale. Reload it to sign in again.");
      } else if (response.status === 404) {
        finish("This was deleted; what you see is how it was.");
      } else if (response.ok) {
        show(new DOMParser().parseFromString(await response.text(), "text/html"));
      }
    } catch {
      // The link's own loop says that it is lost.
    } finally {
      fetching = false;
      if (again) plan(0);
    }
  }

  /** Nothing will change here any more. */
  function finish(text: string): void {
    over = true;
    voice.link(text);
  }

  function show(fresh: PageDocument): void {
    const before = sayings();
    document.title = fresh.title;
    for (const region of document.querySelectorAll("[data-live]")) {
      const next = fresh.querySelector(`[data-live="${region.dataset.live}"]`);
      if (next !== null) patch(region, next);
    }
    const seconds = fresh.querySelector("#main")?.dataset.refreshSeconds;
    if (main !== null && seconds === undefined) main.removeAttribute("data-refresh-seconds");
    const news = [...sayings()].filter((text) => !before.has(text));
    if (news.length > 0) {
      voice.say(news.slice(0, 3).join(". ") + (news.length > 3 ? `. And ${news.length - 3} more.` : "."));
    }
  }

  function sayings(): Set<string> {
    const texts = new Set<string>();
    for (const { dataset } of document.querySelectorAll("[data-live] [data-say]")) texts.add(dataset.say ?? "");
    return texts;
  }

  /** Changes only what differs, so that focus, selection and opened details survive. */
  function patch(old: PageNode, next: PageNode): void {
    if (old.isEqualNode(next)) return;
    if (isElement(old) && isElement(next)) patchAttributes(old, next);
    else old.nodeValue = next.nodeValue;
    const wanted = new Set(Array.from(next.childNodes, keyOf));
    for (let index = 0; index < next.childNodes.length; index++) {
      const theirs = next.childNodes[index]!;
      let mine = old.childNodes[index];
      while (mine !== undefined && !wanted.has(keyOf(mine))) {
        old.removeChild(mine);
        mine = old.childNodes[index];
      }
      if (mine === undefined) old.appendChild(document.importNode(theirs, true));
      // A row that came in between: those below it stay what they are, and so does the focus in them.
      else if (keyOf(mine) !== keyOf(theirs)) old.insertBefore(document.importNode(theirs, true), mine);
      else if (mine.nodeName === theirs.nodeName) patch(mine, theirs);
      else old.replaceChild(document.importNode(theirs, true), mine);
    }
    while (old.childNodes.length > next.childNodes.length) old.removeChild(old.childNodes[next.childNodes.length]!);
  }

  function keyOf(node: PageNode): string | undefined {
    return isElement(node) ? node.dataset.key : undefined;
  }

  function isElement(node: PageNode): node is PageElement {
    return node.nodeType === 1;
  }

  function patchAttributes(old: PageElement, next: PageElement): void {
    for (const { name } of Array.from(old.attributes)) {
      if (name !== "open" && !next.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of Array.from(next.attributes)) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  }

  function listen(): void {
    if (over) return;
    const source = new EventSource("/api/v1/events");
    const { watch, watchId } = main?.dataset ?? {};
    const changed = (event: MessageEvent<string>) => {
      if (watch === undefined || JSON.parse(event.data)[watch] === watchId) plan(150);
    };
    for (const kind of ["runner", "pipeline", "run"]) source.addEventListener(kind, changed);
    source.onopen = () => {
      if (!over) voice.link("");
      // What changed while the link was down was told to nobody.
      plan(0);
    };
    source.onerror = () => {
      if (over) return source.close();
      voice.link("The link to the control plane is lost: this page may be stale. Trying again…");
      plan(0);
      // The browser tries again by itself only after a broken link, not after a refused one.
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
  }

  setInterval(() => {
    const nowMs = Date.now() + offset;
    for (const element of document.querySelectorAll("[data-age-of]")) {
      const age = ageOf(Date.parse(element.dataset.ageOf ?? ""), nowMs);
      if (element.textContent !== age) element.textContent = age;
    }
    const seconds = Number(main?.dataset.refreshSeconds);
    if (seconds > 0 && !document.hidden && Date.now() - fetchedAt >= seconds * 1000) plan(0);
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) plan(0);
  });
  if (document.querySelector("[data-live]") !== null) listen();
  return () => plan(0);
}
