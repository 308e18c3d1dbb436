/** What can go wrong with pods, by order of the test. */
import type { Pod } from "./objects.ts";

export type Trouble =
  /** The main container's image cannot be pulled, for ever. */
  | "image-pull"
  /** Its name is none. */
  | "invalid-image"
  /** No node takes the pod. */
  | "unschedulable"
  /** Its volumes cannot be mounted, although the Secret is there. */
  | "failed-mount"
  /** The main container is killed for its memory, a little after its start. */
  | "oom"
  /** The kubelet evicts the pod, a little after its start. */
  | "evicted"
  /** The pod is never created: its service account is missing. */
  | "no-service-account"
  /** Our init container fails with a reason of its own. */
  | "init-failed";

export interface Affliction {
  /** How many pods it meets; all if not said. */
  times?: number;
  /** Which pods it can meet. */
  when?: (pod: Pick<Pod, "metadata" | "spec">) => boolean;
}

export interface Troubles {
  /** From now on. */
  afflict(trouble: Trouble, affliction?: Affliction): void;
  /** No more of what was ordered; pods that have it keep it. */
  cure(): void;
  /** The trouble of a pod that is to run; each call is another pod. */
  meet(pod: Pod): Trouble | undefined;
  /** Why a pod of this spec may not be created, in the API server's words. */
  refusal(name: string, pod: Pick<Pod, "metadata" | "spec">, namespace: string): string | undefined;
}

export function createTroubles(): Troubles {
  let rows: { trouble: Trouble; left: number; when: NonNullable<Affliction["when"]> }[] = [];
  const take = (pod: Pick<Pod, "metadata" | "spec">, isCreated: boolean) => {
    const fits = (trouble: Trouble) => (trouble === "no-service-account") !== isCreated;
    const row = rows.find(({ trouble, left, when }) => left > 0 && fits(trouble) && when(pod));
    if (row) row.left--;
    return row?.trouble;
  };
  return {
    afflict: (trouble, { times = Infinity, when = () => true } = {}) => void rows.push({ trouble, left: times, when }),
    cure: () => void (rows = []),
    meet: (pod) => take(pod, true),
    refusal(name, pod, namespace) {
      if (take(pod, false) === undefined) return undefined;
      const account = pod.spec.serviceAccountName ?? "default";
      return `pods "${name}" is forbidden: error looking up service account ${namespace}/${account}: ` +
        `serviceaccount "${account}" not found`;
    },
  };
}

/** What a container that cannot start waits for, first and then for good. */
export const IMAGE_TROUBLES: Readonly<
  Partial<Record<Trouble, (image: string) => { reason: string; message: string }[]>>
> = {
  "image-pull": (image) => {
    const why = `failed to pull and unpack image "${image}": failed to resolve reference "${image}": not found`;
    return [
      { reason: "ErrImagePull", message: why },
      { reason: "ImagePullBackOff", message: `Back-off pulling image "${image}": ErrImagePull: ${why}` },
    ];
  },
  "invalid-image": (image) => [
    { reason: "InvalidImageName", message: `Failed to apply default image tag "${image}": couldn't parse image name` },
  ],
};
