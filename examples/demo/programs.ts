/** The two programs as child processes, with everything that they print. */

/** A started program. */
export interface Program extends AsyncDisposable {
  /** All that it printed so far. */
  printed(): string;
  /** The first match in what it prints; rejects if the program ends before, or the signal aborts. */
  waitFor(pattern: RegExp, signal: AbortSignal): Promise<RegExpMatchArray>;
  /** Asks it to stop and waits for its end. */
  stop(): Promise<number>;
}

/** Starts `deno run` on one of the project's programs. */
export function startProgram(name: string, args: string[], env: Record<string, string>): Program {
  const child = new Deno.Command(Deno.execPath(), { args, env, stdin: "null", stdout: "piped", stderr: "piped" })
    .spawn();
  let text = "", isOver = false;
  let news = Promise.withResolvers<void>();
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      text += part;
      news.resolve();
    }
  };
  const reading = Promise.all([collect(child.stdout), collect(child.stderr)]).then(() => {
    isOver = true;
    news.resolve();
  });

  async function stop(): Promise<number> {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    const { code } = await child.status;
    await reading;
    return code;
  }

  return {
    printed: () => text,
    async waitFor(pattern, signal) {
      for (;;) {
        const found = text.match(pattern);
        if (found) return found;
        signal.throwIfAborted();
        if (isOver) throw new Error(`The ${name} ended before it was ready:\n${text}`);
        const aborted = Promise.withResolvers<void>();
        const wake = () => aborted.resolve();
        signal.addEventListener("abort", wake, { once: true });
        await Promise.race([news.promise, aborted.promise]);
        signal.removeEventListener("abort", wake);
        news = Promise.withResolvers<void>();
      }
    },
    stop,
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}

/** Runs a program to its end and gives what it printed; its own words are the error if it fails. */
export async function runProgram(args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new Error(decode(stderr));
  return decode(stdout);
}
