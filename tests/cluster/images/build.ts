/**
 * `deno task test:cluster:images [--load COMMAND]`: the root file systems of the suite's own images, made of
 * dist/hybrid-runner, this machine's C library and Debian's packages. COMMAND gets NAME FOLDER ENTRYPOINT USER of each
 * and loads it into the cluster's nodes; without it, what docker would do is printed.
 */
import { parseArgs } from "node:util";
import { TEST_IMAGES } from "../images.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;
const OUT = `${ROOT}.cache/images`;
/** Not at the root: /hybrid-runner is the folder that `resolve` writes to. */
const PROGRAM = "/usr/local/bin/hybrid-runner";

interface Image {
  name: string;
  fill(rootfs: string): Promise<void>;
  entrypoint: string[];
  user: string;
}

const IMAGES: readonly Image[] = [
  { name: TEST_IMAGES.runner.built, fill: runnerRoot, entrypoint: [PROGRAM], user: "65532" },
  // OpenMetadata's own image has no entrypoint that matters here, and this user.
  { name: TEST_IMAGES.openMetadata.built, fill: ingestionRoot, entrypoint: [], user: "1000" },
];

if (import.meta.main) {
  const { values } = parseArgs({ args: Deno.args, options: { load: { type: "string" } } });
  try {
    for (const image of IMAGES) await make(image, values.load);
  } catch (error) {
    say(Deno.stderr, error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}

async function make({ name, fill, entrypoint, user }: Image, load: string | undefined): Promise<void> {
  const rootfs = `${OUT}/${name.replace(/[/:]/g, "_")}`;
  await Deno.remove(rootfs, { recursive: true }).catch(() => {});
  await Deno.mkdir(`${rootfs}/tmp`, { recursive: true });
  await Deno.chmod(`${rootfs}/tmp`, 0o1777);
  await fill(rootfs);
  const shown = entrypoint.length === 0 ? "" : JSON.stringify(entrypoint);
  if (load !== undefined) {
    const [program = "", ...args] = load.split(" ");
    await run(program, [...args, name, rootfs, shown, user]);
    say(Deno.stdout, `${name} is loaded`);
    return;
  }
  const change = [`USER ${user}`, ...shown === "" ? [] : [`ENTRYPOINT ${shown}`]].map((line) => `--change '${line}'`);
  say(Deno.stdout, `tar -C ${rootfs} --owner 0 --group 0 -c . | docker import ${change.join(" ")} - ${name}`);
}

/** The executable, the libraries that it names, the certificate authorities. */
async function runnerRoot(rootfs: string): Promise<void> {
  const program = `${ROOT}dist/hybrid-runner`;
  const listed = await run("ldd", [program]).catch((error) => {
    throw new Error(`Cannot make ${TEST_IMAGES.runner.built}: ${error.message}; run deno task compile runner first`);
  });
  await copy(program, rootfs + PROGRAM);
  for (const [path] of listed.matchAll(/\/\S+(?=\s\()/g)) await copy(path, rootfs + path);
  const authorities = "/etc/ssl/certs/ca-certificates.crt";
  await copy(authorities, rootfs + authorities);
}

/** Debian's Python without pip, and ours in /ingestion, which is also found from the root folder. */
async function ingestionRoot(rootfs: string): Promise<void> {
  const minimal = /python3\.\d+-minimal/.exec(await aptly("apt-cache", ["depends", "python3-minimal"]))?.[0];
  if (minimal === undefined) throw new Error("Cannot make the ingestion image: apt knows no python3-minimal");
  const python = minimal.replace("-minimal", "");
  const packages = [minimal, `lib${minimal}`, `lib${python}-stdlib`, "libc6", "libexpat1", "zlib1g"];
  const downloads = `${OUT}/packages`;
  await Deno.mkdir(downloads, { recursive: true });
  await aptly("apt-get", ["download", ...packages], downloads);
  for await (const { name } of Deno.readDir(downloads)) {
    if (packages.some((each) => name.startsWith(`${each}_`))) await run("dpkg", ["-x", `${downloads}/${name}`, rootfs]);
  }
  await Deno.remove(`${rootfs}/usr/share/doc`, { recursive: true });
  const exists = (path: string) => Deno.lstat(`${rootfs}/${path}`).then(() => true, () => false);
  // Newer Debians keep everything under /usr; the links of old belong to a package that is not here.
  for (const folder of ["bin", "lib", "lib64"]) {
    if (!await exists(folder) && await exists(`usr/${folder}`)) {
      await Deno.symlink(`usr/${folder}`, `${rootfs}/${folder}`);
    }
  }
  for (const name of ["python", "python3"]) await Deno.symlink(python, `${rootfs}/usr/bin/${name}`);
  await run("cp", ["-r", new URL("ingestion", import.meta.url).pathname, `${rootfs}/ingestion`]);
  for (const name of ["main.py", "run_automation.py", "metadata"]) {
    await Deno.symlink(`ingestion/${name}`, `${rootfs}/${name}`);
  }
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  await Deno.copyFile(from, to);
}

/** A machine that has never asked for packages has no lists of them. */
async function aptly(program: string, args: string[], cwd?: string): Promise<string> {
  const first = await run(program, args, cwd).catch((error: Error) => error);
  if (typeof first === "string" && first !== "") return first;
  if (typeof first === "string" && program === "apt-get") return first;
  await run("apt-get", ["update", "-q"]);
  return await run(program, args, cwd);
}

async function run(program: string, args: string[], cwd = ROOT): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd, stdout: "piped", stderr: "piped" })
    .output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${program} ${args[0] ?? ""} failed: ${new TextDecoder().decode(stderr).trim()}`);
}

function say(to: { writeSync(bytes: Uint8Array): number }, line: string): void {
  to.writeSync(new TextEncoder().encode(`${line}\n`));
}
