/** Resolution: every distinct reference once, in parallel, all or nothing. */
import { Fault, type FaultCode, isFault } from "../fault.ts";
import type { SecretName, SecretsProvider, SecretValue } from "../ports.ts";
import { orAbort } from "../waiting.ts";
import { openDocument } from "./document.ts";
import { mapReference } from "./mapping.ts";
import { parseReference } from "./reference.ts";
import type { Secret } from "./secret.ts";

/** How many secrets are read at the same time. */
export const CONCURRENCY = 8;

/** Limits of one resolution. */
export interface ResolveOptions {
  /** How many secrets are read at the same time; 8 where absent. */
  concurrency?: number;
  /** Aborts when time is up: what is not read by then is `unavailable`. Without it there is no limit. */
  deadline?: AbortSignal;
}

/** A document with its values, and which version of each secret was read. */
export interface ResolvedDocument {
  /** The whole document. */
  text: Secret;
  /** The values, for a redactor. */
  values: Secret[];
  /** Each reference, with the version that was read where the provider tells one. */
  versions: { reference: string; version?: string }[];
}

/**
 * Reads every reference of the document and puts the values in their place. Faults: `invalid` for the document and
 * for malformed references (before any request), otherwise those of the provider; see `failuresOf`.
 */
export async function resolveText(
  document: string,
  provider: SecretsProvider,
  signal: AbortSignal,
  options: ResolveOptions = {},
): Promise<ResolvedDocument> {
  const opened = openDocument(document);
  const read = await resolveAll(opened.references, provider, options, signal);
  const values = new Map([...read].map(([reference, { value }]) => [reference, value]));
  return {
    text: opened.resolve(values),
    values: [...values.values()],
    versions: [...read].map(([reference, { version }]) => ({
      reference,
      ...(version === undefined ? {} : { version }),
    })),
  };
}

/**
 * Reads each distinct reference once. One failure fails all, and all failures are told together in one fault: nothing
 * is requested while any reference is malformed. An abort of `signal` passes through as its reason.
 */
export async function resolveAll(
  references: readonly string[],
  provider: SecretsProvider,
  options: ResolveOptions,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, SecretValue>> {
  signal.throwIfAborted();
  const distinct = [...new Set(references)];
  const names: SecretName[] = [];
  const refused: Fault[] = [];
  for (const reference of distinct) {
    try {
      names.push(mapReference(provider.kind, parseReference(reference)));
    } catch (error) {
      refused.push(told(error, reference, provider));
    }
  }
  if (refused.length > 0) throw together(refused, distinct.length);

  const outcomes: (SecretValue | Fault)[] = [];
  const todo = names.entries();
  const worker = async () => {
    // The workers share one iterator: each takes the next name that nobody has.
    for (const [index, name] of todo) outcomes[index] = await readOne(name, provider, options.deadline, signal);
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency ?? CONCURRENCY, names.length) }, worker));

  const failures = outcomes.filter((outcome): outcome is Fault => isFault(outcome));
  if (failures.length > 0) throw together(failures, distinct.length);
  const read = new Map<string, SecretValue>();
  outcomes.forEach((outcome, index) => {
    const reference = distinct[index];
    if (reference !== undefined && !isFault(outcome)) read.set(reference, outcome);
  });
  return read;
}

/** The single failures in a fault of `resolveAll` or `resolveText`; any other fault is its own only failure. */
export function failuresOf(fault: Fault): readonly Fault[] {
  const { cause } = fault;
  if (!(cause instanceof AggregateError)) return [fault];
  const faults = cause.errors.filter((error): error is Fault => isFault(error));
  return faults.length > 0 ? faults : [fault];
}

async function readOne(
  name: SecretName,
  provider: SecretsProvider,
  deadline: AbortSignal | undefined,
  signal: AbortSignal,
): Promise<SecretValue | Fault> {
  const either = deadline ? AbortSignal.any([signal, deadline]) : signal;
  try {
    either.throwIfAborted();
    // It ends with the signal even if the provider sleeps through it.
    return await orAbort(provider.read(name, either), either);
  } catch (error) {
    signal.throwIfAborted();
    if (deadline?.aborted) {
      const reason = "no answer within the deadline; look whether the provider can be reached from this pod";
      return new Fault("unavailable", `Cannot read secret "${name.reference}" from ${provider.kind}: ${reason}`);
    }
    return told(error, name.reference, provider);
  }
}

/** What is no fault is a defect, and only its class is told: the message or cause of a stray error may quote a value. */
function told(error: unknown, reference: string, provider: SecretsProvider): Fault {
  if (error instanceof Fault) return error;
  const what = error instanceof Error ? error.name : typeof error;
  return new Fault("internal", `Cannot read secret "${reference}" from ${provider.kind}: unexpected ${what}`);
}

function together(failures: readonly Fault[], total: number): Fault {
  const [first] = failures;
  if (first && failures.length === 1) return first;
  const message = `Cannot resolve ${failures.length} of ${total} secret references: ` +
    failures.map((failure) => failure.message).join("; ");
  return new Fault(codeOf(failures), message, { cause: new AggregateError(failures, "secret references") });
}

/** `unavailable` promises that another try may help, so it is the word only when it is true of every failure. */
function codeOf(failures: readonly Fault[]): FaultCode {
  return failures.find((failure) => failure.code !== "unavailable")?.code ?? "unavailable";
}
