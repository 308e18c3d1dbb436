/** One door for what the disk and the system throw: it becomes a fault that says what was being done. */
import { Fault, isFault, reasonOf } from "../../../mod/fault.ts";

/** Runs `work`. Faults pass, and so does an abort of `signal`; anything else becomes `unavailable`, cause kept. */
export async function guarded<T>(action: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFault(error) || (signal?.aborted && error === signal.reason)) throw error;
    throw new Fault("unavailable", `Cannot ${action}: ${reasonOf(error)}`, { cause: error });
  }
}
