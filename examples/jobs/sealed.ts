/**
 * A file that only a password opens: AES-256-GCM (NIST SP 800-38D) under a key from PBKDF2-HMAC-SHA-256. It gives the
 * demo's SQLite database a real credential, since SQLite itself knows none.
 */

const MAGIC = new TextEncoder().encode("sealed1\n");
const SALT_BYTES = 16, IV_BYTES = 12, ITERATIONS = 100_000;

/** `magic, salt, iv, ciphertext with its tag`. */
export async function seal(content: Uint8Array<ArrayBuffer>, password: string): Promise<Uint8Array<ArrayBuffer>> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await keyOf(password, salt);
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, content));
  return new Uint8Array([...MAGIC, ...salt, ...iv, ...sealed]);
}

/** The content; an Error with one sentence if the password is wrong or the file is none of ours. */
export async function open(file: Uint8Array<ArrayBuffer>, password: string): Promise<Uint8Array<ArrayBuffer>> {
  if (!MAGIC.every((byte, at) => file[at] === byte)) {
    throw new Error("Cannot open the database: it is not a sealed file");
  }
  const salt = file.slice(MAGIC.length, MAGIC.length + SALT_BYTES);
  const iv = file.slice(MAGIC.length + SALT_BYTES, MAGIC.length + SALT_BYTES + IV_BYTES);
  const sealed = file.slice(MAGIC.length + SALT_BYTES + IV_BYTES);
  const key = await keyOf(password, salt);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed));
  } catch {
    throw new Error("Cannot open the database: access denied, the password is wrong");
  }
}

async function keyOf(password: string, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", new TextEncoder().encode(password), "PBKDF2", false, [
    "deriveKey",
  ]);
  return await crypto.subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt, iterations: ITERATIONS },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}
