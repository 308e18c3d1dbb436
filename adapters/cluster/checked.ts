/** What a configuration of the cluster is made of, checked where it is read. */
import { Fault, reasonOf } from "../../mod/fault.ts";

/** The text of a file that must be there. Fault: `unavailable`, with what to do. */
export async function readText(path: string, remedy: string, signal: AbortSignal): Promise<string> {
  try {
    return await Deno.readTextFile(path, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new Fault("unavailable", `Cannot read ${path}: ${reasonOf(error)}; ${remedy}`, { cause: error });
  }
}

/** A token that fits into a header; nothing of it is ever shown. */
export function checkedToken(text: string, where: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const why = token === "" ? "it is empty" : "it holds spaces, line breaks or other characters that no token has";
  throw new Fault("unavailable", `Cannot use the token in ${where}: ${why}; issue a new one`);
}

/** The address in its one form. Plain HTTP is for a proxy on this machine only: a token would travel in the open. */
export function checkedServer(address: string, where: string): string {
  const wrong = (why: string) => new Fault("invalid", `Cannot use the API server's address in ${where}: ${why}`);
  if (!URL.canParse(address)) throw wrong("it is no URL; write https://host:port");
  const url = new URL(address);
  if (url.username !== "" || url.password !== "") {
    throw wrong("it holds a user or password; use a token or certificate");
  }
  const here = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && here)) {
    throw wrong("it must begin with https:// (http:// only for this machine)");
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}
