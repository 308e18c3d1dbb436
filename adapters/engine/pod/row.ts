/**
 * What the settings may say of the pods of one pipeline type: Kubernetes' own names, checked once at start. What the
 * Restricted standard forbids has no word here.
 */
import * as z from "zod/mini";
import "../../../mod/messages.ts";
import type { EnvVar } from "../cluster/manifest.ts";
import { parseImage } from "./image.ts";
import { MOUNTS, OUR_VARIABLES, OUR_VOLUMES } from "./names.ts";
import { isLabelKey, isLabelValue, isName, isQuantity, isVariable } from "./words.ts";

const text = z.string().check(z.minLength(1), z.maxLength(4096));
const name = z.string().check(z.refine(isName, "it is no Kubernetes name"));
const whole = z.int().check(z.nonnegative(), z.maximum(2_147_483_647));

/** YAML's `cpu: 2` is meant as well as `cpu: "2"`. */
const Quantity = z.pipe(
  z.union([z.string(), z.number()]),
  z.pipe(z.transform(String), z.string().check(z.refine(isQuantity, "it is no quantity, such as 500m or 512Mi"))),
);
const Amounts = z.record(z.string().check(z.refine(isLabelKey, "it is no resource's name")), Quantity);

/** https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/ */
export const Resources = z.strictObject({ requests: z.optional(Amounts), limits: z.optional(Amounts) });
export type Resources = z.infer<typeof Resources>;

const variable = z.string().check(
  z.refine(isVariable, "it is no variable's name"),
  z.refine((name) => !OUR_VARIABLES.includes(name), "the runner itself sets it"),
);
/** YAML's `DEBUG: true` is meant as well as `DEBUG: "true"`. */
const Value = z.union([z.string(), z.pipe(z.union([z.number(), z.boolean()]), z.transform(String))]);
const Variable = z.strictObject({
  name: variable,
  value: z.optional(Value),
  valueFrom: z.optional(z.record(z.string(), z.unknown())),
}).check(z.refine(({ value, valueFrom }) => value === undefined || valueFrom === undefined, "value or valueFrom"));

/** Kubernetes' list, or a map of plain values. */
const Env = z.union([
  z.array(Variable),
  z.pipe(
    z.record(variable, Value),
    z.transform((map): EnvVar[] => Object.entries(map).map(([name, value]) => ({ name, value }))),
  ),
]);

const ours = (key: string) => key.startsWith("hybrid-runner.dev/");
const key = z.string().check(
  z.refine(isLabelKey, "it is no key of a label or annotation"),
  z.refine((key) => !ours(key), "keys under hybrid-runner.dev/ are the runner's own"),
);
const Labels = z.record(key, z.string().check(z.refine(isLabelValue, "it is no label's value")));
const Annotations = z.record(key, z.string());

const Toleration = z.strictObject({
  key: z.optional(z.string()),
  operator: z.optional(z.enum(["Equal", "Exists", "Lt", "Gt"])),
  value: z.optional(z.string()),
  effect: z.optional(z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])),
  tolerationSeconds: z.optional(z.int()),
});

/** The volumes that the Restricted standard lets in: above all no hostPath. */
const SOURCES = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
];
const Volume = z.looseObject({
  name: z.string().check(
    z.minLength(1),
    z.maxLength(63),
    z.refine((name) => !OUR_VOLUMES.includes(name), `the runner's own are ${OUR_VOLUMES.join(", ")}`),
  ),
}).check(z.refine(
  (volume) => {
    const sources = Object.keys(volume).filter((key) => key !== "name");
    return sources.length === 1 && sources.every((source) => SOURCES.includes(source));
  },
  `a volume is one of ${SOURCES.join(", ")}; hostPath and other ways to the node are never let in`,
));
const VolumeMount = z.strictObject({
  name: z.string(),
  mountPath: z.string().check(
    z.refine((path) => path.startsWith("/") && !path.includes(":"), "it is no absolute path"),
    z.refine((path) => !Object.values(MOUNTS).some((mount) => within(path, mount)), "the runner itself mounts there"),
  ),
  readOnly: z.optional(z.boolean()),
  subPath: z.optional(z.string()),
});

function within(path: string, folder: string): boolean {
  const clean = path.replace(/\/+/g, "/").replace(/(?<=.)\/$/, "");
  return clean === "/" || clean === folder || clean.startsWith(`${folder}/`) || folder.startsWith(`${clean}/`);
}

/** One row: all of it optional, and what it leaves out the less specific rows say. */
export const PodRow = z.strictObject({
  image: z.optional(text.check(z.refine((name) => parseImage(name) !== undefined, "it is no image's name"))),
  imagePullPolicy: z.optional(z.enum(["Always", "IfNotPresent", "Never"])),
  imagePullSecrets: z.optional(z.array(z.union([
    z.strictObject({ name }),
    z.pipe(name, z.transform((name) => ({ name }))),
  ]))),
  /** With `python-env` the interpreter, and then the arguments it is given: a script, or -m and a module. */
  command: z.optional(z.array(text)),
  args: z.optional(z.array(z.string())),
  /** How the job finds its document: a path in HYBRID_RUNNER_CONFIG, or the variable `config` of OpenMetadata. */
  delivery: z.optional(z.enum(["file", "python-env"])),
  /** Who puts values in place of secret references. */
  resolution: z.optional(z.enum(["auto", "inject", "passthrough"])),
  resources: z.optional(Resources),
  env: z.optional(Env),
  labels: z.optional(Labels),
  annotations: z.optional(Annotations),
  nodeSelector: z.optional(z.record(z.string().check(z.refine(isLabelKey, "it is no label's key")), z.string())),
  tolerations: z.optional(z.array(Toleration)),
  affinity: z.optional(z.strictObject({
    nodeAffinity: z.optional(z.looseObject({})),
    podAffinity: z.optional(z.looseObject({})),
    podAntiAffinity: z.optional(z.looseObject({})),
  })),
  topologySpreadConstraints: z.optional(z.array(z.looseObject({}))),
  priorityClassName: z.optional(name),
  serviceAccount: z.optional(name),
  automountServiceAccountToken: z.optional(z.boolean()),
  volumes: z.optional(z.array(Volume)),
  volumeMounts: z.optional(z.array(VolumeMount)),
  deadlineSeconds: z.optional(z.int().check(z.positive(), z.maximum(2_147_483_647))),
  retries: z.optional(z.int().check(z.nonnegative(), z.maximum(10))),
  /** null: the cluster says (OpenShift gives each namespace a range of its own). */
  runAsUser: z.optional(z.nullable(z.int().check(z.positive("0 is root"), z.maximum(2_147_483_647)))),
  readOnlyRootFilesystem: z.optional(z.boolean()),
  terminationGracePeriodSeconds: z.optional(whole),
  schedulerName: z.optional(name),
  runtimeClassName: z.optional(name),
  dnsPolicy: z.optional(z.enum(["ClusterFirst", "Default", "None"])),
  dnsConfig: z.optional(z.strictObject({
    nameservers: z.optional(z.array(z.string())),
    searches: z.optional(z.array(z.string())),
    options: z.optional(z.array(z.strictObject({ name: z.string(), value: z.optional(z.string()) }))),
  })),
  hostAliases: z.optional(z.array(z.strictObject({ ip: z.string(), hostnames: z.array(z.string()) }))),
});
export type PodRow = z.infer<typeof PodRow>;

/** Names that Kubernetes has for what a row says in fewer words. */
const ALIASES: Readonly<Record<string, keyof PodRow>> = {
  serviceAccountName: "serviceAccount",
  activeDeadlineSeconds: "deadlineSeconds",
};

/** Rows by pipeline type, by kind of job, and `default` for all. */
export const PipelineTypes = z.record(z.string(), z.pipe(z.transform(withoutAliases), PodRow));
export type PipelineTypes = z.infer<typeof PipelineTypes>;

/** The row with our words for Kubernetes'; what says both is left as it is and refused as unknown. */
export function withoutAliases(row: unknown): unknown {
  if (typeof row !== "object" || row === null || Array.isArray(row)) return row;
  const read = Object.entries(row).map(([key, value]) => {
    const word = Object.hasOwn(ALIASES, key) ? ALIASES[key] : undefined;
    return [word === undefined || Object.hasOwn(row, word) ? key : word, value];
  });
  return Object.fromEntries(read);
}
