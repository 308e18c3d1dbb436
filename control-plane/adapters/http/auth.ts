/** Who asks: a bearer token, a session cookie, or, bound to loopback and told so, whoever is on this machine. */
import { Fault } from "../../../mod/fault.ts";
import type { Claims, Storage, Tokens } from "../../mod/ports.ts";
import { isLoopback } from "./loopback.ts";

/** The door-keeper: proves who asks, or says why not. */
export interface Auth {
  /** The claims of the request's bearer token. Faults: `denied`, and why: absent, expired, badly signed, revoked… */
  bearer(request: Request): Promise<Claims>;
  /** Who the operator is. `unauthorized` faults are `denied` with rule `token`; others (origin, scope) are 403. */
  operator(request: Request): Promise<Operator>;
  /** The cookie for a token that proves to be an operator's. Faults: `denied`. */
  login(token: string): Promise<string>;
}

/** Who asks, as it goes on record. */
export interface Operator {
  name: string;
  /** No login is needed here. */
  open: boolean;
  /** The token's, where there was one. */
  claims?: Claims;
}

/** The rule of a fault that a new or better token would mend (401); others stay 403. */
export const TOKEN_RULE = "token";
/** Forgets the session. */
export const LOGOUT_COOKIE = "session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0";

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Makes the door-keeper. `open`: anyone on loopback is the operator; only for a server that is bound to loopback. */
export function createAuth(
  { tokens, storage, open, secure, now }: {
    tokens: Tokens;
    storage: Storage;
    open: boolean;
    secure: boolean;
    now: () => number;
  },
): Auth {
  return { bearer, operator, login };

  async function bearer(request: Request): Promise<Claims> {
    const token = bearerOf(request);
    if (token === undefined) throw refused("there is none; send it as `Authorization: Bearer <token>`");
    return await live(token);
  }

  async function operator(request: Request): Promise<Operator> {
    // A browser cannot be made to send this header to us from elsewhere, so it needs no more proof.
    if (request.headers.has("authorization")) return known(operatorOf(await bearer(request)));
    if (open) {
      // Another name that resolves to 127.0.0.1 is a page of somebody else's (DNS rebinding).
      const host = new URL(request.url).hostname;
      if (!isLoopback(host)) {
        throw new Fault("denied", `Cannot serve the host ${host}: this server is for loopback only`, { rule: "host" });
      }
      checkOrigin(request, false);
      return { name: "local", open: true };
    }
    const token = cookieOf(request);
    if (token === undefined) throw refused("there is none; sign in, or send `Authorization: Bearer <token>`");
    const claims = operatorOf(await live(token));
    checkOrigin(request, true);
    return known(claims);
  }

  async function login(token: string): Promise<string> {
    const { expiresAt } = operatorOf(await live(token));
    const seconds = Math.max(0, Math.floor((expiresAt - now()) / 1000));
    const flags = `HttpOnly; SameSite=Strict; Path=/; Max-Age=${seconds}${secure ? "; Secure" : ""}`;
    return `session=${token}; ${flags}`;
  }

  async function live(token: string): Promise<Claims> {
    const claims = await tokens.verify(token);
    if ((await storage.token(claims.jti))?.revokedAt !== undefined) throw refused("it was revoked");
    return claims;
  }
}

/**
 * What changes something must come from our own page. Browsers say where a request comes from; `proof`: one that
 * says nothing is refused too, as the cookie alone proves no intent.
 */
export function checkOrigin(request: Request, proof: boolean): void {
  if (SAFE.has(request.method)) return;
  const site = request.headers.get("sec-fetch-site");
  const origin = request.headers.get("origin");
  // Behind a proxy that rewrites Host the origin's host is another one; what the browser itself compared is not.
  const isForeign = site !== null
    ? site !== "same-origin" && site !== "none"
    : origin !== null && hostOf(origin) !== new URL(request.url).host;
  if (isForeign || (proof && site === null && origin === null)) {
    throw new Fault("denied", "Cannot carry this out: it was asked from another site", { rule: "origin" });
  }
}

function known(claims: Claims): Operator {
  return { name: claims.subject, open: false, claims };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function operatorOf(claims: Claims): Claims {
  if (claims.scope === "operator") return claims;
  throw new Fault("denied", `Cannot let you in: the token's scope is ${claims.scope}, and operator is wanted`, {
    rule: "scope",
  });
}

function bearerOf(request: Request): string | undefined {
  return /^Bearer +([\w.~+/=-]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

function cookieOf(request: Request): string | undefined {
  return /(?:^|; *)session=([\w.-]+)/.exec(request.headers.get("cookie") ?? "")?.[1];
}

function refused(reason: string): Fault {
  return new Fault("denied", `Cannot accept the token: ${reason}`, { rule: TOKEN_RULE });
}
