/** The port's Connection over a socket that the server accepted. */
import { createConnection } from "../../../adapters/channel/connection.ts";
import { systemClock } from "../../../adapters/clock.ts";
import { Fault } from "../../../mod/fault.ts";
import type { Connection } from "../../../mod/ports.ts";
import { CLOSES } from "../../../mod/protocol/closes.ts";

/** Wraps an upgraded socket at once, before its first event. Resolves when it is open; rejects if it never opens. */
export async function connectionOf(socket: WebSocket): Promise<Connection> {
  const connection = createConnection(socket, systemClock, { abandonCode: CLOSES.silent.code });
  const opened = new Promise<void>((resolve) => (socket.onopen = () => resolve()));
  const failed = connection.closed.then(({ reason }) => {
    throw new Fault("unavailable", `Cannot open the connection: ${reason || "the socket failed"}`);
  });
  // Once it is open, its end is no failure of the opening.
  failed.catch(() => {});
  await Promise.race([opened, failed]);
  return connection;
}
