/** Health: what the kubelet is told, and what a client that never finishes must not do. */
import assert from "node:assert/strict";
import { serveHealth } from "../../adapters/health.ts";

const loop = (stuck: boolean) => ({ name: "link", seconds: 1, restarts: 0, stuck });
const at = { hostname: "127.0.0.1", port: 0 };

Deno.test("health: a stuck loop fails liveness, a lost link only readiness", async () => {
  let stuck = false, ok = true;
  await using server = serveHealth({
    loops: () => [loop(stuck)],
    conditions: () => Promise.resolve([{ name: "control plane", ok, message: "the link was lost" }]),
  }, at);
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return [response.status, await response.text()];
  };
  assert.deepEqual([await ask("/livez"), await ask("/readyz")], [[200, "ok\n"], [200, "ok\n"]]);
  ok = false;
  assert.deepEqual([await ask("/livez"), await ask("/readyz")], [[200, "ok\n"], [
    503,
    "control plane: the link was lost\n",
  ]]);
  stuck = true;
  assert.deepEqual(await ask("/livez"), [503, "link\n"]);
});

Deno.test("health: a client that never ends its request doesn't hold up the end", async () => {
  const server = serveHealth({ loops: () => [], conditions: () => Promise.resolve([]) }, at);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await connection.write(new TextEncoder().encode("GET /livez HTTP/1.1\r\n"));
  await server[Symbol.asyncDispose]();
  connection.close();
});
