/**
 * `hybrid-runner resolve`: the step before the job. Reads a document, puts the values in place of its secret
 * references and writes the result, or writes nothing at all.
 */
import { parseArgs } from "node:util";
import { createSecretsProvider } from "../adapters/secrets/provider.ts";
import { asFault, Fault, reasonOf } from "../mod/fault.ts";
import type { SecretsProvider } from "../mod/ports.ts";
import { mapReference } from "../mod/secrets/mapping.ts";
import { parseReference } from "../mod/secrets/reference.ts";
import { failuresOf, type ResolvedDocument, resolveText } from "../mod/secrets/resolve.ts";
import { putFile, readDocument, removeFile, writeTermination } from "./resolve_files.ts";

/** How the command meets the world; the files it names it reads and writes itself. */
export interface Io {
  /** One environment variable. */
  env(name: string): string | undefined;
  /** Writes to standard output, as it is. */
  stdout(text: string): void;
  /** Writes to standard error, as it is. */
  stderr(text: string): void;
  /** What `--document -` reads; the process's own standard input where absent. */
  stdin?(): ReadableStream<Uint8Array>;
}

/** Where the resolved document goes without `--out`. */
export const RESOLVED_PATH = "/hybrid-runner/config";

const HELP = `Usage: hybrid-runner resolve [options]

Replaces every secret reference of a configuration document by its value. Nothing is written unless all were read.

Options:
  --document FILE     the document (YAML or JSON); - is standard input    [HYBRID_RUNNER_DOCUMENT]
  --out FILE          where the resolved document goes, mode 0440         [${RESOLVED_PATH}]
  --check             read every secret, write nothing
  --deadline SECONDS  how long all reading may take                       [60]
  --json              the result as one JSON object on standard output
  --help              this text

Environment:
  SECRETS_MANAGER     which provider holds the secrets
  SECRETS_NAMESPACE   where the provider kubernetes looks; the pod's own namespace where not set
  SECRETS_DIR         the folder of the provider file
  HYBRID_RUNNER_TERMINATION_LOG  a file that gets the reason of a failure (never a value)

Exit codes:
  0  resolved
  1  a reference could not be resolved, or the result could not be written
  2  bad usage, settings, reference or document; nothing was requested
`;

/**
 * Runs the command and answers its exit code. On any failure but bad usage, and on an abort, no file is left at `--out`,
 * not even one of an earlier attempt. An abort passes through as the signal's reason.
 */
export async function resolveCommand(args: string[], io: Io, signal: AbortSignal): Promise<number> {
  /** Before the first request it is the caller's doing, from then on the provider's. */
  let exitCode = 2;
  try {
    const usage = usageOf(args, io);
    if (usage.help) {
      io.stdout(HELP);
      return 0;
    }
    if (!usage.check) await removeFile(usage.out, usage.document);
    const provider = createSecretsProvider(io.env);
    const document = await readDocument(usage.document, io.stdin, signal);
    exitCode = 1;
    const resolved = await resolveInTime(document, provider, usage.deadlineSeconds, signal);
    if (!usage.check) await putFile(usage.out, resolved.text);
    succeed(usage, provider.kind, resolved, io);
    return 0;
  } catch (error) {
    signal.throwIfAborted();
    const fault = asFault(error, "resolve the document");
    await fail(fault, args.includes("--json"), io);
    // Malformed references are the document's fault, and were found before the first request.
    return fault.code === "invalid" ? 2 : exitCode;
  }
}

interface Usage {
  document: string;
  out: string;
  check: boolean;
  json: boolean;
  help: boolean;
  deadlineSeconds: number;
}

function usageOf(args: string[], io: Io): Usage {
  const values = optionsIn(args);
  const document = values.document ?? io.env("HYBRID_RUNNER_DOCUMENT") ?? "";
  const help = values.help ?? false;
  if (!help && document === "") {
    const reason = "no document is named; pass --document FILE or set HYBRID_RUNNER_DOCUMENT";
    throw new Fault("invalid", `Cannot resolve: ${reason}`, { path: "document" });
  }
  const deadline = values.deadline ?? "60";
  if (!/^[1-9][0-9]{0,4}$/.test(deadline)) {
    throw new Fault("invalid", "Cannot resolve: --deadline wants whole seconds, from 1 to 99999", { path: "deadline" });
  }
  return {
    document,
    out: values.out || RESOLVED_PATH,
    check: values.check ?? false,
    json: values.json ?? false,
    help,
    deadlineSeconds: Number(deadline),
  };
}

/** The option values as they were given. */
function optionsIn(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        document: { type: "string" },
        out: { type: "string" },
        check: { type: "boolean" },
        deadline: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new Fault("invalid", `Cannot understand the options: ${reasonOf(error)}`, { cause: error });
  }
}

async function resolveInTime(
  document: string,
  provider: SecretsProvider,
  seconds: number,
  signal: AbortSignal,
): Promise<ResolvedDocument> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), seconds * 1000);
  try {
    return await resolveText(document, provider, signal, { deadline: deadline.signal });
  } finally {
    clearTimeout(timer);
  }
}

function succeed(usage: Usage, provider: string, resolved: ResolvedDocument, io: Io): void {
  const references = resolved.versions.map(({ reference, version }) => ({
    reference,
    provider,
    name: mapReference(provider, parseReference(reference)).name,
    ...(version === undefined ? {} : { version }),
  }));
  const out = usage.check ? {} : { out: usage.out };
  if (usage.json) return io.stdout(`${JSON.stringify({ ok: true, references, ...out })}\n`);
  for (const { reference, name, version } of references) {
    io.stdout(`${reference}: ${provider} ${name}${version === undefined ? "" : `, version ${version}`}\n`);
  }
  const count = `${references.length} secret reference${references.length === 1 ? "" : "s"}`;
  io.stdout(usage.check ? `${count} can be resolved\n` : `${count} resolved into ${usage.out}\n`);
}

async function fail(fault: Fault, json: boolean, io: Io): Promise<void> {
  const failures = failuresOf(fault).map(({ code, message }) => ({ code, message }));
  if (json) io.stdout(`${JSON.stringify({ ok: false, failures })}\n`);
  for (const { code, message } of failures) io.stderr(`${code}: ${message.replace(/\s+/g, " ")}\n`);
  const path = io.env("HYBRID_RUNNER_TERMINATION_LOG");
  if (!path) return;
  try {
    await writeTermination(path, fault.code, fault.message);
  } catch (error) {
    io.stderr(`Cannot write the termination message to ${path}: ${reasonOf(error)}\n`);
  }
}
