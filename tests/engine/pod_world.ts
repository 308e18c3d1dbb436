/** What the tests of the job's pod share: settings as the environment gives them, a job, and a judge of pods. */
import type { Container, PodSpec } from "../../adapters/engine/cluster/manifest.ts";
import { createJobPods } from "../../adapters/engine/pod/pods.ts";
import type { JobPod, JobPods, Placement, Prepared } from "../../adapters/engine/pod/port.ts";
import { podSettings } from "../../adapters/engine/pod/settings.ts";
import { readSettings } from "../../adapters/settings.ts";
import { Job } from "../../mod/job.ts";

export const OM = "registry.example:5000/openmetadata/ingestion:1.12.1";
export const RUNNER = "registry.example/hybrid-runner:1";
export const OWN = "source:\n  type: x\n  serviceConnection: {config: {password: secret:/db/password}}\n";
export const PLACEMENT: Placement = { documentSecret: "hr-document", runId: { value: "run-1" } };

/** The variables that all tests start from. */
export const GOOD = {
  AGENT_ID: "a",
  SERVER_URL: "wss://control.example",
  AUTH_TOKEN: "t",
  INGESTION_IMAGE: OM,
  HYBRID_RUNNER_IMAGE: RUNNER,
};

export interface World {
  env?: Record<string, string>;
  /** The YAML settings file. */
  file?: string;
  /** Other files by their paths. */
  files?: Record<string, string>;
  engine?: "argo" | "kubernetes";
}

/** Pods by the settings of an environment. */
export async function podsOf({ env = {}, file, files = {}, engine = "kubernetes" }: World = {}): Promise<JobPods> {
  const all: Record<string, string> = {
    ...GOOD,
    ...file === undefined ? {} : { HYBRID_RUNNER_SETTINGS: "/settings.yaml" },
    ...env,
  };
  const { settings } = await readSettings((name) => all[name], (path) => {
    const text = path === "/settings.yaml" ? file : files[path];
    if (text === undefined) throw new Deno.errors.NotFound(path);
    return text;
  });
  return createJobPods(podSettings(settings, { engine, namespace: "jobs", env: (name) => all[name] }));
}

export function job(members: Partial<Job> = {}): Job {
  return Job.parse({
    kind: "pipeline",
    pipelineId: "p",
    name: "P",
    type: "metadata",
    revision: 1,
    document: OWN,
    enabled: true,
    maxActiveRuns: 1,
    ...members,
  });
}

/** Prepares the job and makes its pod. */
export function made(pods: JobPods, of: Job, placement = PLACEMENT): Prepared & JobPod & { main: Container } {
  const prepared = pods.prepare(of);
  const pod = pods.pod(prepared.definition, placement);
  const [main] = pod.spec.containers;
  if (main === undefined) throw new Error("a pod without containers");
  return { ...prepared, ...pod, main };
}

export const envOf = ({ env = [] }: Container): Record<string, unknown> =>
  Object.fromEntries(env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]));

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

/**
 * What of a pod breaks the Restricted standard, a sentence each
 * (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted).
 */
export function unrestricted(spec: PodSpec): string[] {
  const wrong: string[] = [];
  const pod = spec.securityContext ?? {};
  const say = (bad: boolean, what: string) => void (bad && wrong.push(what));
  const raw: Record<string, unknown> = { ...spec };
  for (const key of ["hostNetwork", "hostPID", "hostIPC"]) say(raw[key] === true, key);
  for (const volume of spec.volumes ?? []) {
    for (const source of Object.keys(volume)) say(source !== "name" && !SOURCES.includes(source), `volume ${source}`);
  }
  for (const container of [...spec.initContainers ?? [], ...spec.containers]) {
    const own = container.securityContext ?? {};
    const { name } = container;
    say(own.privileged === true, `${name} is privileged`);
    say(own.allowPrivilegeEscalation !== false, `${name} may escalate`);
    say((own.runAsNonRoot ?? pod.runAsNonRoot) !== true, `${name} may be root`);
    say((own.runAsUser ?? pod.runAsUser) === 0, `${name} is root`);
    say(JSON.stringify(own.capabilities) !== '{"drop":["ALL"]}', `${name} has capabilities`);
    const profile = JSON.stringify(own.seccompProfile ?? pod.seccompProfile ?? null);
    say(profile !== '{"type":"RuntimeDefault"}', `${name} has no seccomp profile`);
    say(own.procMount !== undefined, `${name} has a procMount`);
    for (const port of Array.isArray(container.ports) ? container.ports : []) {
      say(port.hostPort > 0, `${name} hostPort`);
    }
  }
  return wrong;
}
