/** A TCP proxy in the test's own process: the link between the two programs, which can be cut or made to lie. */

/** Lives until it is disposed of. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Closes every connection, at both ends. */
  cut(): void;
  /** While on, new connections are refused (accepted and closed at once). */
  refuse(on: boolean): void;
  /** What goes this way on the connections that exist now vanishes from here on; their sockets stay open. */
  swallow(way: { up?: boolean; down?: boolean }): void;
  /** Connections that are open. */
  open(): number;
  /** Connections that were ever accepted, and bytes that were passed on or swallowed. */
  readonly counts: { accepted: number; up: number; down: number; swallowed: number };
}

interface Link {
  ends: [Deno.TcpConn, Deno.TcpConn];
  swallows: { up: boolean; down: boolean };
  /** Ways that have come to their end. */
  over: number;
}

/** Up: from who dials to `target`. Down: the way back. */
export function startProxy(target: { hostname: string; port: number }): Proxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const links = new Set<Link>();
  const pumps = new Set<Promise<void>>();
  const counts = { accepted: 0, up: 0, down: 0, swallowed: 0 };
  let refusing = false;
  const accepting = accept();

  return {
    port: listener.addr.port,
    counts,
    open: () => links.size,
    cut: () => links.forEach(close),
    refuse: (on) => (refusing = on),
    swallow({ up = false, down = false }) {
      for (const link of links) link.swallows = { up: up || link.swallows.up, down: down || link.swallows.down };
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      links.forEach(close);
      await accepting;
      await Promise.all(pumps);
    },
  };

  async function accept(): Promise<void> {
    try {
      for await (const near of listener) {
        counts.accepted++;
        if (refusing) closeEnd(near);
        else track(join(near));
      }
    } catch {
      // The listener was closed: the proxy is over.
    }
  }

  async function join(near: Deno.TcpConn): Promise<void> {
    let far: Deno.TcpConn;
    try {
      far = await Deno.connect(target);
    } catch {
      // Nothing listens there: the dialler sees a closed connection, as through any proxy.
      return closeEnd(near);
    }
    if (refusing) return [near, far].forEach(closeEnd);
    near.setNoDelay(true);
    far.setNoDelay(true);
    const link: Link = { ends: [near, far], swallows: { up: false, down: false }, over: 0 };
    links.add(link);
    track(pump(link, "up", near, far));
    track(pump(link, "down", far, near));
  }

  async function pump(link: Link, way: "up" | "down", from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const size = await from.read(buffer);
        if (size === null) break;
        counts[way] += size;
        if (link.swallows[way]) {
          counts.swallowed += size;
          continue;
        }
        for (let at = 0; at < size;) at += await to.write(buffer.subarray(at, size));
      }
    } catch {
      // One end is gone: so is the link.
    }
    // On a link that swallows this way the other end is not even told of the end.
    if (link.swallows[way] && ++link.over < 2) return closeEnd(from);
    close(link);
  }

  function close(link: Link): void {
    links.delete(link);
    link.ends.forEach(closeEnd);
  }

  function track(work: Promise<void>): void {
    pumps.add(work);
    work.finally(() => pumps.delete(work));
  }
}

function closeEnd(end: Deno.TcpConn): void {
  try {
    end.close();
  } catch {
    // It was closed before.
  }
}
