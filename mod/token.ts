/** What the runner reads in its own token (RFC 7519). It does not verify it: that is for whoever is shown it. */
import * as z from "zod/mini";
import { Fault } from "./fault.ts";
import type { Log } from "./ports.ts";

const Claims = z.object({
  sub: z.optional(z.string()),
  iss: z.optional(z.string()),
  /** Seconds since the epoch. */
  exp: z.optional(z.number()),
});
export type Claims = z.infer<typeof Claims>;

/** Seconds before the expiry from which on the log warns. */
export const EXPIRY_WARNING_SECONDS = 14 * 24 * 3600;

/** The claims of a compact JWS. Fault `malformed` for what is none; the message never shows the token. */
export function readClaims(token: string): Claims {
  const parts = token.split(".");
  if (parts.length !== 3) {
    throw new Fault(
      "malformed",
      `Cannot read the runner's token, which is no JWT (3 parts with dots between): it has ${parts.length}`,
    );
  }
  let payload: unknown;
  try {
    const text = atob((parts[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    payload = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (char) => char.charCodeAt(0))));
  } catch {
    // No cause: a JSON error quotes what it could not read.
    throw new Fault(
      "malformed",
      "Cannot read the runner's token, which is no JWT: its middle part is not base64url of JSON",
    );
  }
  const claims = Claims.safeParse(payload);
  if (!claims.success) {
    throw new Fault("malformed", "Cannot read the runner's token, which is no JWT: its claims have unexpected types");
  }
  return claims.data;
}

/** Tells the log what is worth knowing of the token before it is used. */
export function tellToken(token: string, now: number, log: Log): void {
  const { exp, sub } = readClaims(token);
  const agentId = sub ?? "";
  if (exp === undefined) return log("info", "token.read", { agentId, reason: "it does not expire" });
  const seconds = Math.round(exp - now / 1000);
  if (seconds <= 0) return log("error", "token.expired", { agentId, seconds, reason: "issue a new AUTH_TOKEN" });
  if (seconds < EXPIRY_WARNING_SECONDS) return log("warn", "token.expires_soon", { agentId, seconds });
  log("info", "token.read", { agentId, seconds });
}
