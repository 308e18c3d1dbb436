/** Signing in with a form: the one door that is open to everybody, so it takes little and waits briefly. */
import { Fault, isFault } from "../../../mod/fault.ts";
import { type Auth, checkOrigin } from "./auth.ts";
import { readText } from "./body.ts";

/** A token and an address; no honest form is longer. */
const FORM_LIMITS = { bytes: 16 * 1024, ms: 10_000 };

/** Answers POST /login: a cookie and the way on, or back to the form. Faults: `denied` (origin), `invalid`. */
export async function login(request: Request, auth: Auth): Promise<Response> {
  checkOrigin(request, false);
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers.get("content-type") ?? "")) {
    throw new Fault("invalid", "Cannot sign in: a form (application/x-www-form-urlencoded) is wanted", {
      path: "content-type",
    });
  }
  const form = new URLSearchParams(await readText(request, FORM_LIMITS));
  const next = pathWithin(form.get("next") ?? "/", new URL(request.url));
  try {
    return redirect(next, await auth.login((form.get("token") ?? "").trim()));
  } catch (error) {
    if (!isFault(error, "denied")) throw error;
    return redirect(`/login?failed=1&next=${encodeURIComponent(next)}`);
  }
}

/** 303 to an address of our own. */
export function redirect(location: string, cookie?: string): Response {
  const headers = new Headers({ location, "cache-control": "no-store" });
  if (cookie !== undefined) headers.set("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}

/** Only a path of our own, as a browser would read it: "//elsewhere" and "/<tab>/elsewhere" lead away. */
function pathWithin(given: string, base: URL): string {
  if (!given.startsWith("/") || !URL.canParse(given, base)) return "/";
  const { origin, pathname, search } = new URL(given, base);
  // "/.//elsewhere" is within, and its path alone is not.
  return origin === base.origin && !pathname.startsWith("//") ? pathname + search : "/";
}
