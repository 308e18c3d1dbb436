/** What a job brings from afar and lands in its pod: refused here, before anything is created. */
import { Fault } from "../../../mod/fault.ts";
import type { Job } from "../../../mod/job.ts";
import { OUR_VARIABLES } from "./names.ts";
import { isLabelKey, isLabelValue, isName, isQuantity } from "./words.ts";

/** Fault `invalid` with the path of the field. `taken`: variables that the settings give to this job. */
export function checkWire(job: Omit<Job, "document">, taken: readonly string[]): void {
  const { type, serviceAccount, labels, env, resources = {} } = job;
  // Argo would put its own values there; what it is refused, it is refused on both engines.
  if (type.includes("{{")) throw invalid("type", `${JSON.stringify(type)} holds {{, which Argo replaces`);
  if (serviceAccount !== undefined && !isName(serviceAccount)) {
    throw invalid("serviceAccount", `${JSON.stringify(serviceAccount)} is no name of a service account`);
  }
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!isLabelKey(key)) throw invalid(`labels.${key}`, `${JSON.stringify(key)} is no key of a label`);
    if (!isLabelValue(value)) {
      throw invalid(`labels.${key}`, "a label's value has letters, digits, -, _ and . only, at most 63, no odd ends");
    }
  }
  for (const [part, amounts] of Object.entries(resources)) {
    for (const [name, amount] of Object.entries(amounts ?? {})) {
      if (!isQuantity(amount)) throw invalid(`resources.${part}.${name}`, `${amount} is no quantity`);
    }
  }
  for (const [name, value] of Object.entries(env ?? {})) {
    if (value.includes("{{")) throw invalid(`env.${name}`, "its value holds {{, which Argo replaces");
    if (isOurs(name) || taken.includes(name)) throw invalid(`env.${name}`, "the runner's own settings say it");
  }
}

/** True for variables that no job may bring. */
export function isOurs(name: string): boolean {
  return OUR_VARIABLES.includes(name) || name.startsWith("HYBRID_RUNNER_");
}

function invalid(path: string, reason: string): Fault {
  return new Fault("invalid", `Cannot make the job's pod, for its ${path.split(".")[0]}: ${reason}`, { path });
}
