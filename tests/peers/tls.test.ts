/** TLS with a private CA between the two real programs. The certificates are made by openssl at run time. */
import assert from "node:assert/strict";
import { test } from "../limited.ts";
import { inFolder } from "../folder.ts";
import { jsonLine, runProgram, startProgram } from "../journeys/process.ts";

const RUNNER = new URL("../../main.ts", import.meta.url);
const CONTROL_PLANE = new URL("../../control-plane/main.ts", import.meta.url);

async function openssl(folder: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder }).output().catch((error) => {
    throw new Error("Cannot make certificates: install openssl", { cause: error });
  });
  assert(success, new TextDecoder().decode(stderr));
}

/** A CA, and a certificate of it for a host. */
async function certificates(folder: string, host: string): Promise<void> {
  const name = (cn: string) => ["-subj", `/CN=${cn}`, "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  await openssl(folder, ["req", "-x509", "-days", "1", ...name("a private CA"), "-keyout", "ca.key", "-out", "ca.pem"]);
  await openssl(folder, ["req", ...name(host), "-keyout", "server.key", "-out", "server.csr"]);
  const isAddress = /^[0-9.]+$/.test(host);
  await Deno.writeTextFile(`${folder}/san.cnf`, `subjectAltName=${isAddress ? "IP" : "DNS"}:${host}\n`);
  const sign = [
    "x509",
    "-req",
    "-days",
    "1",
    "-in",
    "server.csr",
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
  ];
  await openssl(folder, [...sign, "-extfile", "san.cnf", "-out", "server.pem"]);
}

/** Starts both programs; answers what the runner said first: a session, or why there is none. */
async function linked(folder: string, host: string, withCa: boolean): Promise<string> {
  await certificates(folder, host);
  const data = ["--data", `${folder}/data`];
  await Deno.mkdir(`${folder}/data`);
  const tls = ["--tls-cert", `${folder}/server.pem`, "--tls-key", `${folder}/server.key`];
  const server = startProgram("control plane", CONTROL_PLANE, ["serve", ...data, "--listen", "127.0.0.1:0", ...tls]);
  const address = await server.line("its address", (line) => line.match(/https:\/\/127\.0\.0\.1:\d+/)?.[0]);
  const token = (await runProgram("token", CONTROL_PLANE, ["token", "issue", "--agent", "a", ...data])).stdout.trim();
  const runner = startProgram("runner", RUNNER, [], {
    AGENT_ID: "a",
    AUTH_TOKEN: token,
    SERVER_URL: address.replace("https", "wss"),
    HEALTH_PORT: "0",
    HEALTH_HOST: "127.0.0.1",
    ...withCa ? { SERVER_CA_PATH: `${folder}/ca.pem` } : {},
  });
  try {
    return await runner.line("a session, or why there is none", (line) => {
      const { event, error } = jsonLine(line) ?? {};
      if (event === "session.open") return "open";
      return event === "link.unavailable" ? JSON.stringify(error) : undefined;
    });
  } finally {
    assert.equal(await runner.terminate(), 0);
    assert.equal(await server.terminate(), 0);
    assert(!runner.output().includes(token), "the token is in the output");
  }
}

test("TLS: a CA that is known by SERVER_CA_PATH opens the session", () =>
  inFolder(async (folder) => assert.equal(await linked(folder, "127.0.0.1", true), "open")));

test("TLS: an unknown CA is named, and the setting that makes it known", () =>
  inFolder(async (folder) =>
    assert.match(await linked(folder, "127.0.0.1", false), /CA that is not known.*SERVER_CA_PATH/)
  ));

test("TLS: a certificate for another host is named so", () =>
  inFolder(async (folder) => assert.match(await linked(folder, "elsewhere.example", true), /for another host name/)));
