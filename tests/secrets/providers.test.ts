import assert from "node:assert/strict";
import { createFileSecrets, FILE_LIMIT_BYTES } from "../../adapters/secrets/file.ts";
import { createSecretsProvider } from "../../adapters/secrets/provider.ts";
import { Fault, type FaultCode } from "../../mod/fault.ts";
import type { SecretsProvider } from "../../mod/ports.ts";
import { mapReference, SECRETS_MANAGERS } from "../../mod/secrets/mapping.ts";
import { parseReference } from "../../mod/secrets/reference.ts";
import { reveal, revealBytes } from "../../mod/secrets/secret.ts";
import { inFolder } from "../folder.ts";
import { test } from "../limited.ts";

const read = async (provider: SecretsProvider, reference: string) =>
  (await provider.read(mapReference(provider.kind, parseReference(reference)), new AbortController().signal)).value;

async function refuses(provider: SecretsProvider, reference: string, code: FaultCode, sentence: RegExp): Promise<void> {
  const error = await read(provider, reference).then(() => assert.fail("it was read"), (error) => error);
  assert.ok(error instanceof Fault, Deno.inspect(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, sentence);
}

test("secrets/file: a mounted Secret is made of links, and may change while it is read", () =>
  inFolder(async (dir) => {
    const mount = async (version: string, value: string) => {
      await Deno.mkdir(`${dir}/..2024_${version}`);
      await Deno.writeTextFile(`${dir}/..2024_${version}/password`, value);
      await Deno.symlink(`..2024_${version}`, `${dir}/..data_tmp`);
      await Deno.rename(`${dir}/..data_tmp`, `${dir}/..data`);
    };
    await mount("1", "one\n");
    await Deno.symlink("..data/password", `${dir}/password`);
    assert.equal(reveal(await read(createFileSecrets(`${dir}/`), "secret:/password")), "one\n");

    let swapped = false;
    const provider = createFileSecrets(dir, {
      realPath: (path) => Deno.realPath(path),
      stat: async (path) => {
        // The kubelet swaps ..data and takes the old folder away, right between the two looks.
        if (!swapped) {
          swapped = true;
          await mount("2", "two");
          await Deno.remove(`${dir}/..2024_1`, { recursive: true });
        }
        return await Deno.stat(path);
      },
      read: (path) => Deno.readFile(path),
    });
    assert.equal(reveal(await read(provider, "secret:/password")), "two");
  }));

test("secrets/file: links that leave the folder are refused, wherever they stand", () =>
  inFolder(async (parent) => {
    const dir = `${parent}/secrets`;
    await Deno.mkdir(dir);
    // A neighbour whose name begins alike.
    await Deno.mkdir(`${parent}/secrets-of-others`);
    await Deno.writeTextFile(`${parent}/secrets-of-others/a`, "x");
    await Deno.symlink("../secrets-of-others/a", `${dir}/file`);
    await Deno.symlink(`${parent}/secrets-of-others`, `${dir}/folder`);
    await Deno.symlink("file", `${dir}/twice`);
    await Deno.symlink("nothing", `${dir}/dangling`);
    await Deno.symlink("circle", `${dir}/circle`);
    const provider = createFileSecrets(dir);
    for (const path of ["file", "folder/a", "twice"]) await refuses(provider, `secret:/${path}`, "denied", /leaves/);
    await refuses(provider, "secret:/dangling", "not_found", /no such file/);
    await refuses(provider, "secret:/circle", "malformed", /circle/);
    // Even a name that was not made by the grammar does not get out.
    const name = { reference: "secret:/x", name: "../secrets-of-others/a" };
    await assert.rejects(provider.read(name, new AbortController().signal), /leaves/);
  }));

test("secrets/file: what is no secret is malformed", () =>
  inFolder(async (dir) => {
    await Deno.mkdir(`${dir}/folder`);
    await Deno.writeFile(`${dir}/full`, new Uint8Array(FILE_LIMIT_BYTES));
    await Deno.writeFile(`${dir}/large`, new Uint8Array(FILE_LIMIT_BYTES + 1));
    const provider = createFileSecrets(dir);
    assert.equal(revealBytes(await read(provider, "secret:/full")).length, FILE_LIMIT_BYTES);
    await refuses(provider, "secret:/large", "malformed", /larger than 1 MiB/);
    await refuses(provider, "secret:/folder", "malformed", /is no file/);
    await refuses(provider, "secret:/full/more", "not_found", /a part of the path is a file/);
    await refuses(provider, `secret:/${"a".repeat(300)}`, "not_found", /so long a name/);
  }));

test("secrets/file: a folder that is not there is unavailable", async () => {
  await refuses(createFileSecrets("/nowhere/at/all"), "secret:/a", "unavailable", /SECRETS_DIR/);
});

test(
  "secrets/file: a program without the right to read says so",
  () => refuses(createFileSecrets("/nowhere"), "secret:/a", "denied", /--allow-read/),
  { permissions: { read: false } },
);

test("secrets/provider: the environment chooses", async () => {
  const environment = (variables: Record<string, string>) => (name: string) => variables[name];
  const env = createSecretsProvider(environment({ SECRETS_MANAGER: "env", HYBRID_RUNNER_SECRET_A_B: "x" }));
  assert.equal(reveal(await read(env, "secret:/a/b")), "x");
  assert.equal(createSecretsProvider(environment({ SECRETS_MANAGER: "file", SECRETS_DIR: "/d" })).kind, "file");

  const fault = (variables: Record<string, string>): Fault => {
    try {
      createSecretsProvider(environment(variables));
    } catch (error) {
      if (error instanceof Fault) return error;
      throw error;
    }
    return assert.fail("it was made");
  };
  const unknown = fault({ SECRETS_MANAGER: "keychain" });
  assert.equal(unknown.code, "invalid");
  for (const accepted of SECRETS_MANAGERS) assert.ok(unknown.message.includes(accepted));
  assert.deepEqual(unknown.details, { path: "SECRETS_MANAGER" });
  assert.match(fault({ SECRETS_MANAGER: "file" }).message, /SECRETS_DIR is not set/);
  const later = fault({ SECRETS_MANAGER: "gcp" });
  assert.equal(later.code, "unavailable");
  assert.match(later.message, /not in this version yet; it has kubernetes, file, env$/);
  for (const variables of [{ SECRETS_MANAGER: "" }, { SECRETS_MANAGER: "kubernetes" }]) {
    assert.equal(createSecretsProvider(environment(variables)).kind, "kubernetes");
  }
  assert.match(fault({ SECRETS_NAMESPACE: "Not/One" }).message, /SECRETS_NAMESPACE is "Not\/One", which is no namesp/);
});
