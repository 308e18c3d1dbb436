/** Tokens as JWTs (RFC 7519) signed with Ed25519 (RFC 8037). */
import { decodeProtectedHeader, errors, importJWK, type JWTPayload, jwtVerify, SignJWT } from "jose";
import * as z from "zod/mini";
import { Fault } from "../../../mod/fault.ts";
import type { Claims, Tokens } from "../../mod/ports.ts";
import type { Keys } from "./keys.ts";

const ISSUER = "hybrid-control-plane";
const AUDIENCE = "hybrid-runner";
/** Clocks of issuer and verifier are the same here; a little for leap and restart. */
const TOLERANCE_SECONDS = 5;

const Payload = z.object({
  jti: z.string(),
  sub: z.string().check(z.minLength(1)),
  scope: z.enum(["runner", "operator"]),
  iat: z.number(),
  exp: z.number(),
});

/** Makes the tokens port over a folder of keys. */
export function createTokens(keys: Keys, now: () => number): Tokens {
  return {
    async sign({ jti, scope, subject, issuedAt, expiresAt }) {
      const { kid, privateKey } = await keys.newest();
      return await new SignJWT({ scope })
        .setProtectedHeader({ alg: "EdDSA", kid, typ: "JWT" })
        .setIssuer(ISSUER).setAudience(AUDIENCE).setSubject(subject).setJti(jti)
        .setIssuedAt(Math.floor(issuedAt / 1000)).setExpirationTime(Math.floor(expiresAt / 1000))
        .sign(privateKey);
    },
    async verify(token) {
      const payload = Payload.safeParse(await verified(token));
      if (!payload.success) throw refused("its claims are not those of this control plane");
      const { jti, sub, scope, iat, exp } = payload.data;
      return { jti, subject: sub, scope, issuedAt: iat * 1000, expiresAt: exp * 1000 } satisfies Claims;
    },
  };

  async function verified(token: string): Promise<JWTPayload> {
    const kid = kidOf(token);
    const key = kid === undefined ? undefined : await keys.find(kid);
    if (key === undefined) throw refused("it was signed by a key that is not known here");
    try {
      const { payload } = await jwtVerify(token, await importJWK(key.publicJwk, "EdDSA"), {
        algorithms: ["EdDSA"],
        issuer: ISSUER,
        audience: AUDIENCE,
        clockTolerance: TOLERANCE_SECONDS,
        currentDate: new Date(now()),
      });
      return payload;
    } catch (error) {
      // No cause: jose's errors carry the payload.
      throw refused(REASONS.find(([kind]) => error instanceof kind)?.[1] ?? "it is no token of this control plane");
    }
  }
}

const REASONS = [
  [errors.JWTExpired, "it has expired; issue a new one with `token issue`"],
  [errors.JWSSignatureVerificationFailed, "it is badly signed"],
  [errors.JWTClaimValidationFailed, "it is for another issuer or audience"],
] as const;

function kidOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid;
  } catch {
    throw refused("it is no JWT");
  }
}

function refused(reason: string): Fault {
  return new Fault("denied", `Cannot accept the token: ${reason}`, { rule: "token" });
}
