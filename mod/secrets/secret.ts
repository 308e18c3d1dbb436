/** A secret value as a type of its own: printing, inspecting or serialising it shows `***`. `reveal` is the one way out. */

const values = new WeakMap<Secret, Uint8Array>();

/** An opaque value. */
export class Secret {
  private constructor() {}

  /** Takes the value in; the bytes are not copied and must not be changed afterwards. */
  static of(value: string | Uint8Array): Secret {
    const secret = Object.freeze(new Secret());
    values.set(secret, typeof value === "string" ? new TextEncoder().encode(value) : value);
    return secret;
  }

  /** `***` */
  toString(): string {
    return "***";
  }

  /** `***` */
  toJSON(): string {
    return "***";
  }

  /** What `console.log` shows. */
  [Symbol.for("Deno.customInspect")](): string {
    return "Secret(***)";
  }

  /** What `node:util` shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "Secret(***)";
  }
}

/** The value's bytes. Every place that calls this can be found by its name. */
export function revealBytes(secret: Secret): Uint8Array {
  const bytes = values.get(secret);
  if (bytes === undefined) throw new TypeError("Cannot reveal the secret: it was not made by Secret.of");
  return bytes;
}

/** The value as text; throws a TypeError if its bytes are not UTF-8. */
export function reveal(secret: Secret): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(revealBytes(secret));
}
