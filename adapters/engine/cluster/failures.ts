/**
 * Why a run fails or does not start, as rows: what is seen on a pod, the reason code it means, and the sentence for a
 * human. Pure. The first row that fits decides; the more telling ones stand first.
 */
import type { Reason } from "../../../mod/run.ts";
import type { ContainerFacts, PodFacts } from "./facts.ts";

/** Something that keeps a run from starting. */
export interface Trouble extends Reason {
  /** No waiting mends it: the run is ended at once. Otherwise the start deadline decides. */
  hopeless: boolean;
}

/** Why a pod's attempt failed. Only for pods that have ended without success. */
export function failureOf(pod: PodFacts): Reason {
  for (const { fits, code, says } of FAILURES) {
    if (fits(pod)) return reason(typeof code === "string" ? code : code(pod), says(pod));
  }
  return reason("PodFailed", `The pod failed${pod.message ? `: ${pod.message}` : " and says nothing about it"}`);
}

/** What keeps a pod from starting; undefined while nothing is wrong. */
export function troubleOf(pod: PodFacts): Trouble | undefined {
  const ended = ({ state }: ContainerFacts) => state === "terminated";
  if (pod.main?.state === "running" || (pod.main && ended(pod.main))) return undefined;
  if (pod.unschedulable) {
    return trouble("Unschedulable", `No node takes the pod: ${pod.unschedulable}`);
  }
  for (const container of [pod.resolve, ...pod.others, pod.main]) {
    const row = container?.state === "waiting" ? WAITING[container.reason ?? ""] : undefined;
    if (row === undefined || container === undefined) continue;
    const hopeless = row.hopeless(container);
    return { ...reason(row.code ?? container.reason ?? "", row.says(container, pod)), hopeless };
  }
  return undefined;
}

/** What the messages of events, or of the engine, mean for a run that has no pod or whose pod does not start. */
export function troubleIn(message: string): Trouble | undefined {
  const row = MESSAGES.find(({ sign }) => sign.test(message));
  return row && { ...reason(row.code, `${row.says}: ${message}`), hopeless: row.hopeless };
}

/** The reason of an engine's own verdict where no container ended. */
export function engineFailure(message: string | undefined, word: string | undefined): Reason {
  const known = message === undefined ? undefined : troubleIn(message);
  if (known) return { code: known.code, message: known.message };
  if (/deadline/i.test(`${word} ${message}`)) {
    return reason("DeadlineExceeded", `The run took longer than its deadline${message ? ` (${message})` : ""}`);
  }
  return reason(word && /^[A-Z][A-Za-z]*$/.test(word) ? word : "EngineFailed", message || "The engine gives no reason");
}

/** What we write as the reason of a pod that was taken away from under a live run. */
export const POD_DELETED = "PodDeleted";

const TERMINATED = "terminated";
const exit = ({ main }: PodFacts) => main?.state === TERMINATED ? main : undefined;
const failedInit = ({ resolve }: PodFacts) =>
  resolve?.state === TERMINATED && resolve.exitCode !== 0 ? resolve : undefined;

const FAILURES: readonly {
  fits(pod: PodFacts): boolean;
  code: string | ((pod: PodFacts) => string);
  says(pod: PodFacts): string;
}[] = [
  {
    fits: (pod) => pod.reason === "Evicted",
    code: "Evicted",
    says: ({ message, node }) =>
      `The kubelet${node ? ` of node ${node}` : ""} evicted the pod: ${message ?? "no reason given"}`,
  },
  {
    fits: (pod) => exit(pod)?.reason === "OOMKilled" || failedInit(pod)?.reason === "OOMKilled",
    code: "OOMKilled",
    says: (pod) =>
      `The ${exit(pod)?.reason === "OOMKilled" ? "job's" : "resolving"} container was killed because it needed more ` +
      `memory than its limit (exit code ${exit(pod)?.exitCode ?? failedInit(pod)?.exitCode}); raise its memory limit`,
  },
  {
    fits: (pod) => failedInit(pod) !== undefined,
    code: (pod) => resolveFault(pod)?.code === "invalid" ? "InvalidDocument" : "SecretNotResolved",
    says: (pod) =>
      resolveFault(pod)?.message ?? `The init container that resolves references failed with exit code ` +
          `${failedInit(pod)?.exitCode}${failedInit(pod)?.message ? `: ${failedInit(pod)?.message}` : ""}`,
  },
  {
    fits: (pod) => pod.reason === "DeadlineExceeded",
    code: "DeadlineExceeded",
    says: () => "The run took longer than its deadline and was ended",
  },
  {
    fits: (pod) => ["NodeLost", "NodeShutdown", "Shutdown", "Terminated"].includes(pod.reason ?? ""),
    code: "NodeLost",
    says: ({ node, message }) => `The node ${node ?? ""} that ran the pod is gone${message ? `: ${message}` : ""}`,
  },
  {
    fits: (pod) => pod.reason === POD_DELETED,
    code: POD_DELETED,
    says: ({ name }) => `The pod ${name} was deleted before the job had ended`,
  },
  {
    fits: (pod) => pod.disrupted !== undefined && exit(pod)?.exitCode !== 0,
    code: "Disrupted",
    says: ({ disrupted }) => `The pod was taken away: ${disrupted}`,
  },
  {
    fits: (pod) => ["StartError", "ContainerCannotRun"].includes(exit(pod)?.reason ?? ""),
    code: "CannotStart",
    says: (pod) => `The job's command cannot be started: ${exit(pod)?.message ?? "no reason given"}`,
  },
  {
    fits: (pod) => exit(pod) !== undefined,
    code: "NonZeroExit",
    says: (pod) => {
      const code = exit(pod)?.exitCode ?? 0;
      const signal = code > 128 && code < 160 ? ` (128 + signal ${code - 128})` : "";
      return `The job's process ended with exit code ${code}${signal}`;
    },
  },
  {
    fits: (pod) => pod.others.some((each) => each.state === TERMINATED && each.exitCode !== 0),
    code: "EngineContainerFailed",
    says: (pod) => {
      const bad = pod.others.find((each) => each.state === TERMINATED && each.exitCode !== 0);
      return `The engine's own container "${bad?.name}" failed with exit code ${bad?.exitCode}` +
        `${bad?.message ? `: ${bad.message}` : ""}`;
    },
  },
];

/** What `hybrid-runner resolve` left as its termination message. */
function resolveFault(pod: PodFacts): { code: string; message: string } | undefined {
  try {
    const said: unknown = JSON.parse(pod.resolve?.message ?? "");
    if (typeof said !== "object" || said === null || !("code" in said) || !("message" in said)) return undefined;
    return { code: String(said.code), message: String(said.message) };
  } catch {
    return undefined;
  }
}

/** A waiting container's reasons (the kubelet's words). */
const WAITING: Readonly<
  Record<string, {
    code?: string;
    hopeless(container: ContainerFacts): boolean;
    says(container: ContainerFacts, pod: PodFacts): string;
  }>
> = {
  ImagePullBackOff: image("ImagePullBackOff", false),
  ErrImagePull: image("ImagePullBackOff", false),
  RegistryUnavailable: image("ImagePullBackOff", false),
  ImageInspectError: image("ImageInspectError", false),
  ErrImageNeverPull: image("ErrImageNeverPull", true),
  InvalidImageName: image("InvalidImageName", true),
  CreateContainerConfigError: {
    hopeless: ({ message = "" }) => /runAsNonRoot|non-numeric user/.test(message),
    says: ({ name, message }) => `The container "${name}" cannot be made: ${message ?? "no reason given"}`,
  },
  CreateContainerError: {
    hopeless: ({ message = "" }) => /no command specified/.test(message),
    says: ({ name, message }) => `The container "${name}" cannot be made: ${message ?? "no reason given"}`,
  },
  CrashLoopBackOff: {
    hopeless: () => false,
    says: ({ name, message }) => `The container "${name}" crashes again and again: ${message ?? "no reason given"}`,
  },
};

function image(code: string, hopeless: boolean) {
  return {
    code,
    hopeless: () => hopeless,
    says: ({ message }: ContainerFacts, pod: PodFacts) =>
      `The image cannot be used${message?.includes(pod.image) ? "" : ` (the job's is ${pod.image})`}: ` +
      `${message ?? "no reason given"}; look at the image's name, the registry and the pull secrets`,
  };
}

/** What messages say, whoever wrote them: admission, the Job controller, the kubelet's events, Argo. */
const MESSAGES: readonly { sign: RegExp; code: string; says: string; hopeless: boolean }[] = [
  {
    sign: /serviceaccounts? "[^"]*" not found|error looking up service account/i,
    code: "ServiceAccountMissing",
    says: "The pod's service account does not exist; create it, or set INGESTION_SERVICE_ACCOUNT_NAME",
    hopeless: true,
  },
  {
    sign: /failed to look-up entrypoint/i,
    code: "CommandUnknown",
    says: "Argo cannot find out what the image runs; set command of its pipeline type",
    hopeless: true,
  },
  { sign: /exceeded quota/i, code: "QuotaExceeded", says: "The namespace's quota is used up", hopeless: false },
  {
    sign: /violates PodSecurity|admission webhook .* denied|ValidatingAdmissionPolicy|is forbidden/i,
    code: "AdmissionRefused",
    says: "The cluster refuses the pod",
    hopeless: true,
  },
  {
    sign: /secret "[^"]*" not found|secrets? .* not found/i,
    code: "SecretMissing",
    says: "A Secret that the pod mounts does not exist",
    hopeless: false,
  },
  {
    sign: /configmaps? "[^"]*" not found/i,
    code: "ConfigMapMissing",
    says: "A ConfigMap that the pod mounts does not exist",
    hopeless: false,
  },
  {
    sign: /MountVolume|Unable to attach or mount volumes|FailedMount/i,
    code: "FailedMount",
    says: "A volume of the pod cannot be mounted",
    hopeless: false,
  },
  { sign: /Invalid value|is invalid/i, code: "InvalidPod", says: "The cluster calls the pod invalid", hopeless: true },
];

function reason(code: string, message: string): Reason {
  return { code: code.slice(0, 64), message: message.replace(/\s+/g, " ").trim().slice(0, 4000) };
}

function trouble(code: string, message: string): Trouble {
  return { ...reason(code, message), hopeless: false };
}
