/** A program as its image runs it: read-only root, an unprivileged user, an empty environment but its settings. */

export interface Confined extends AsyncDisposable {
  /** All that it printed so far. */
  text(): string;
  /** The first match in what it prints; rejects with all of it if the program ends before. */
  seen(pattern: RegExp): Promise<RegExpMatchArray>;
  ended(): Promise<number>;
  terminate(): Promise<number>;
}

export interface ConfinedOptions {
  program: "hybrid-runner" | "hybrid-control-plane";
  args?: string[];
  env?: Record<string, string>;
  /** Path inside → folder of the machine: what its user may write to; everything else is read-only. */
  writable?: Record<string, string>;
  stdin?: string;
}

export const UID = 65532;
const DIST = new URL("../../dist", import.meta.url).pathname;

/** Why such a place cannot be made here, or undefined where it can. */
export function whyNot(): string | undefined {
  if (Deno.build.os !== "linux") return "mount namespaces are Linux's";
  if (Deno.uid() !== 0) return "making a read-only root needs root";
  const { success } = new Deno.Command("unshare", { args: ["-m", "true"], stdout: "null", stderr: "null" })
    .outputSync();
  return success ? undefined : "this machine forbids mount namespaces";
}

export function startConfined({ program, args = [], env = {}, writable = {}, stdin }: ConfinedOptions): Confined {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const script = [
    "set -e",
    // A root of its own over the machine's: nothing of what happens here is seen outside the mount namespace.
    "mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work /mnt/tree",
    "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/tree",
    "mount --rbind /proc /mnt/tree/proc && mount --rbind /dev /mnt/tree/dev",
    ...Object.entries(writable).flatMap(([inside, outside]) => [
      `mkdir -p ${quoted(`/mnt/tree${inside}`)}`,
      `mount --bind ${quoted(outside)} ${quoted(`/mnt/tree${inside}`)}`,
    ]),
    `mkdir -p /mnt/tree/app && mount --bind ${quoted(DIST)} /mnt/tree/app`,
    "mount -o remount,ro,bind /mnt/tree/app && mount -o remount,ro /mnt/tree",
    [
      `exec chroot /mnt/tree setpriv --reuid ${UID} --regid ${UID} --clear-groups --no-new-privs --bounding-set=-all env -i`,
      ...Object.entries(env).map(([name, value]) => quoted(`${name}=${value}`)),
      quoted(`/app/${program}`),
      ...args.map(quoted),
    ].join(" "),
  ].join("\n");
  const child = new Deno.Command("unshare", {
    args: ["-m", "sh", "-c", script],
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "", isOver = false;
  let news = Promise.withResolvers<void>();
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      text += part;
      news.resolve();
    }
  };
  const writing = stdin === undefined ? Promise.resolve() : new Response(stdin).body?.pipeTo(child.stdin);
  const reading = Promise.all([collect(child.stdout), collect(child.stderr), writing]).then(() => {
    isOver = true;
    news.resolve();
  });
  async function ended(): Promise<number> {
    await reading;
    return (await child.status).code;
  }
  function terminate(): Promise<number> {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    return ended();
  }
  return {
    text: () => text,
    async seen(pattern) {
      for (;;) {
        const found = text.match(pattern);
        if (found) return found;
        if (isOver) throw new Error(`${program} ended without ${pattern}:\n${text}`);
        news = Promise.withResolvers();
        await news.promise;
      }
    },
    ended,
    terminate,
    [Symbol.asyncDispose]: async () => void await terminate(),
  };
}
