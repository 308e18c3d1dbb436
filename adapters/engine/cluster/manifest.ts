/**
 * What we write, as far as we write it: the few fields of each kind, by the API's own names. Their validity is the API
 * server's to say (every create asks for strict field validation), so no package of types is carried.
 */

/** An object that is to be created. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: ManifestMetadata;
  [field: string]: unknown;
}

/** What every object of ours says of itself. */
export interface ManifestMetadata {
  name: string;
  namespace?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  ownerReferences?: OwnerReference[];
}

/** With its owner an object goes: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodSpec */
export interface PodSpec {
  initContainers?: Container[];
  /** The job's own comes first and is named `main`. */
  containers: Container[];
  volumes?: Volume[];
  restartPolicy?: "Never";
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  imagePullSecrets?: { name: string }[];
  nodeSelector?: Record<string, string>;
  tolerations?: unknown[];
  affinity?: unknown;
  priorityClassName?: string;
  securityContext?: Record<string, unknown>;
  terminationGracePeriodSeconds?: number;
  activeDeadlineSeconds?: number;
  hostAliases?: unknown[];
  dnsConfig?: unknown;
  dnsPolicy?: string;
  schedulerName?: string;
  runtimeClassName?: string;
  topologySpreadConstraints?: unknown[];
}

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container */
export interface Container {
  name: string;
  image: string;
  imagePullPolicy?: string;
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: EnvVar[];
  envFrom?: unknown[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  volumeMounts?: VolumeMount[];
  securityContext?: Record<string, unknown>;
  terminationMessagePath?: string;
  terminationMessagePolicy?: "File";
  [field: string]: unknown;
}

/** A variable with its value, or where the value comes from. */
export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: Record<string, unknown>;
}

/** Where a container sees a volume. */
export interface VolumeMount {
  name: string;
  mountPath: string;
  readOnly?: boolean;
  subPath?: string;
}

/** A volume by name; its source stands under the source's own name. */
export interface Volume {
  name: string;
  [source: string]: unknown;
}
