/** What the API server checks and fills in before it stores an object. */
import { parseSchedule } from "../../mod/schedule.ts";
import { isRecord, type Stored } from "./api_objects.ts";
import { same } from "./api_patches.ts";
import { invalid } from "./api_status.ts";

/** The object as it is stored; `before` where it was already there. Throws a Refusal. */
export function admitted(resource: string, object: Stored, before?: Stored): Stored {
  const { name, labels = {}, annotations = {} } = object.metadata;
  for (const [key, value] of Object.entries(labels)) {
    if (!QUALIFIED.test(key)) throw invalid(resource, name, "metadata.labels", `Invalid value: "${key}": name part`);
    if (typeof value !== "string" || value.length > 63 || !/^([A-Za-z0-9]([-\w.]*[A-Za-z0-9])?)?$/.test(value)) {
      throw invalid(resource, name, "metadata.labels", `Invalid value: "${value}": a valid label must be …`);
    }
  }
  for (const [key, value] of Object.entries(annotations)) {
    if (!QUALIFIED.test(key)) {
      throw invalid(resource, name, "metadata.annotations", `Invalid value: "${key}": name part`);
    }
    if (typeof value !== "string") throw invalid(resource, name, "metadata.annotations", "Invalid value: no string");
  }
  const rule = RULES[resource];
  return rule === undefined ? object : rule(object, before);
}

/** Why a name is none (RFC 1123), or undefined. */
export function wrongName(name: unknown): string | undefined {
  if (typeof name === "string" && /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name)) return undefined;
  return `Invalid value: "${name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters`;
}

type Rule = (object: Stored, before: Stored | undefined) => Stored;
const QUALIFIED = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/;
const LARGEST_SECRET = 1024 * 1024;

const RULES: Readonly<Record<string, Rule>> = {
  secrets(object, before) {
    const { stringData, ...rest } = object;
    const data = { ...record(rest["data"]), ...mapped(record(stringData), (text) => base64(String(text))) };
    const { name } = object.metadata;
    if (before?.["immutable"] === true && !same(before["data"], data)) {
      throw invalid("secrets", name, "data", "Forbidden: field is immutable when `immutable` is set");
    }
    const bytes = Object.values(data).reduce<number>((sum, value) => sum + Math.floor(String(value).length * 0.75), 0);
    if (bytes > LARGEST_SECRET) throw invalid("secrets", name, "data", "Too long: may not be more than 1048576 bytes");
    return { type: "Opaque", ...rest, data };
  },
  controllerrevisions(object, before) {
    const { name } = object.metadata;
    if (!Number.isInteger(object["revision"])) throw invalid("controllerrevisions", name, "revision", "Required value");
    if (before && !same(before["data"], object["data"])) {
      throw invalid("controllerrevisions", name, "data", "Invalid value: field is immutable");
    }
    return object;
  },
  jobs(object, before) {
    const { name, uid } = object.metadata;
    const spec = record(object["spec"]), template = record(spec["template"]), old = record(before?.["spec"]);
    if (String(name).length > 63) throw invalid("jobs", name, "metadata.name", "must be no more than 63 characters");
    if (before) {
      for (const field of ["template", "selector", "completionMode"]) {
        if (!same(old[field], spec[field])) {
          throw invalid("jobs", name, `spec.${field}`, "Invalid value: field is immutable");
        }
      }
      return object;
    }
    const metadata = record(template["metadata"]);
    const labels = {
      ...record(metadata["labels"]),
      ...{ "controller-uid": uid, "batch.kubernetes.io/controller-uid": uid },
      ...{ "job-name": name, "batch.kubernetes.io/job-name": name },
    };
    const defaults = { backoffLimit: 6, completions: 1, parallelism: 1, completionMode: "NonIndexed", suspend: false };
    const selector = { matchLabels: { "batch.kubernetes.io/controller-uid": uid } };
    return {
      ...object,
      spec: { ...defaults, ...spec, selector, template: { ...template, metadata: { ...metadata, labels } } },
      status: {},
    };
  },
  cronjobs(object, before) {
    const { name } = object.metadata;
    const spec = record(object["spec"]);
    if (name.length > 52) throw invalid("cronjobs", name, "metadata.name", "must be no more than 52 characters");
    try {
      parseSchedule(String(spec["schedule"]), spec["timeZone"] === undefined ? "UTC" : String(spec["timeZone"]));
    } catch (error) {
      throw invalid("cronjobs", name, "spec.timeZone", `Invalid value: ${error}`);
    }
    const limits = { successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 };
    const defaults = { concurrencyPolicy: "Allow", suspend: false, ...limits };
    return { ...object, spec: { ...defaults, ...spec }, ...before ? {} : { status: {} } };
  },
  pods(object, before) {
    if (!before) return { ...object, status: { phase: "Pending", qosClass: "BestEffort" } };
    const { name } = object.metadata;
    const { activeDeadlineSeconds: was, ...old } = record(before["spec"]);
    const { activeDeadlineSeconds: is, ...spec } = record(object["spec"]);
    const field = "spec.activeDeadlineSeconds";
    if (is !== undefined && !(Number(is) >= 1)) throw invalid("pods", name, field, "must be between 1 and 2147483647");
    if (was !== undefined && !(Number(is) <= Number(was))) {
      throw invalid("pods", name, field, "must be less than or equal to previous value");
    }
    if (!same(old, spec)) {
      throw invalid("pods", name, "spec", "Forbidden: pod updates may not change fields other than …");
    }
    return object;
  },
};

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

function mapped(from: Record<string, unknown>, change: (value: unknown) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, change(value)]));
}

function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}
