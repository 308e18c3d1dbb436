/** The signing keys: one JWK file each (mode 0600) in a folder of their own, never in the database. */
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import * as z from "zod/mini";
import { Fault, reasonOf } from "../../../mod/fault.ts";

/** One key: private for signing, public for whoever verifies. */
export interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
  publicJwk: JWK;
}

/** The folder of keys. */
export interface Keys {
  /** The newest key; makes the first one. */
  newest(): Promise<SigningKey>;
  /** Undefined for a key that is not (or no more) in the folder. */
  find(kid: string): Promise<SigningKey | undefined>;
  /** Makes a new key, with which everything is signed from now on; the older ones stay valid until their files go. */
  rotate(): Promise<SigningKey>;
}

const Jwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  kid: z.string(),
  x: z.string(),
  d: z.string(),
});
const FILE = /^([0-9a-z-]+)\.jwk$/;

/** Opens the folder (made where it is missing). Faults: `unavailable`, `malformed` for a key file that is none. */
export function openKeys(folder: string, now: () => number): Keys {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Fault("unavailable", `Cannot open the keys in ${folder}: ${reasonOf(error)}`, { cause: error });
  }
  const loaded = new Map<string, SigningKey>();

  return { newest, find, rotate };

  async function newest(): Promise<SigningKey> {
    const kid = kids().at(-1);
    return kid === undefined ? await rotate() : await load(kid);
  }

  async function find(kid: string): Promise<SigningKey | undefined> {
    // The folder decides each time: a key is retired by removing its file, and a new one needs no restart.
    return kids().includes(kid) ? await load(kid) : undefined;
  }

  async function rotate(): Promise<SigningKey> {
    const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
    const jwk = await exportJWK(privateKey);
    // Sorts by time; the tail tells two keys of one second apart.
    const stamp = new Date(now()).toISOString().replaceAll(/[^0-9]/g, "").slice(0, 17);
    const kid = `${stamp}-${String(jwk.x).replaceAll(/[^a-z0-9]/g, "").slice(0, 6)}`;
    write(`${folder}/${kid}.jwk`, JSON.stringify({ ...jwk, kid, use: "sig", alg: "EdDSA" }));
    return await load(kid);
  }

  async function load(kid: string): Promise<SigningKey> {
    const known = loaded.get(kid);
    if (known !== undefined) return known;
    const path = `${folder}/${kid}.jwk`;
    const key = await readKey(path, kid);
    loaded.set(kid, key);
    return key;
  }

  function kids(): string[] {
    try {
      return [...Deno.readDirSync(folder)].flatMap(({ name }) => FILE.exec(name)?.[1] ?? []).sort();
    } catch (error) {
      throw new Fault("unavailable", `Cannot read the keys in ${folder}: ${reasonOf(error)}`, { cause: error });
    }
  }
}

async function readKey(path: string, kid: string): Promise<SigningKey> {
  try {
    const jwk = Jwk.parse(JSON.parse(Deno.readTextFileSync(path)));
    const privateKey = await importJWK(jwk, "EdDSA");
    if (privateKey instanceof Uint8Array) throw new TypeError("it is symmetric");
    const { kty, crv, x } = jwk;
    return { kid, privateKey, publicJwk: { kty, crv, x, kid, use: "sig", alg: "EdDSA" } };
  } catch (error) {
    // No cause: what could not be read may be quoted in it, and it is a private key.
    const reason = error instanceof Deno.errors.PermissionDenied ? "permission denied" : "it is no Ed25519 JWK";
    throw new Fault("malformed", `Cannot read the key ${path}: ${reason}`);
  }
}

function write(path: string, text: string): void {
  try {
    using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
    file.writeSync(new TextEncoder().encode(text));
    file.syncSync();
  } catch (error) {
    throw new Fault("unavailable", `Cannot write the key ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
