/** `#key`: one string member of a JSON secret, for the providers whose secrets are one text (not Kubernetes, not Vault). */
import { Fault } from "../fault.ts";
import type { SecretName } from "../ports.ts";
import { reveal, Secret } from "./secret.ts";

/**
 * The value that a name asks for: the whole one, raw, or with a key that member of the JSON object.
 * Faults: `malformed` (no JSON object, or the member is no string), `not_found` (no such member).
 */
export function pickKey(whole: Secret, name: SecretName, provider: string): Secret {
  const { key } = name;
  if (key === undefined) return whole;
  const object = objectIn(whole);
  if (object === undefined) {
    throw fault("malformed", name, provider, `#${key} asks for a member, but the secret is no JSON object`);
  }
  if (!Object.hasOwn(object, key)) {
    throw fault("not_found", name, provider, `the JSON object has no member ${JSON.stringify(key)}; add it`);
  }
  const member: unknown = Reflect.get(object, key);
  if (typeof member !== "string") {
    throw fault("malformed", name, provider, `the member ${JSON.stringify(key)} is no string; store it as one`);
  }
  return Secret.of(member);
}

/** Nothing of the parser's own error is kept: it quotes the text that it could not read. */
function objectIn(whole: Secret): object | undefined {
  try {
    const parsed: unknown = JSON.parse(reveal(whole));
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function fault(code: "malformed" | "not_found", name: SecretName, provider: string, reason: string): Fault {
  return new Fault(code, `Cannot read secret "${name.reference}" from ${provider}: ${reason}`);
}
