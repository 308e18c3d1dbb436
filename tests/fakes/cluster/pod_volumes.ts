/** What of a pod's spec decides whether it can start, and with which variables. */
import type { Container, PodSpec } from "../../../adapters/engine/cluster/manifest.ts";
import { isRecord } from "../api_objects.ts";
import type { Pod, Secret } from "./objects.ts";
import type { Collection } from "./workshop.ts";

/** Every Secret that is mounted, optional ones too. */
export function secretNames(spec: PodSpec): string[] {
  return mounts(spec).map(({ secret }) => secret);
}

/** The first that must be there and is not. */
export function missingSecret(
  spec: PodSpec,
  secrets: Collection<Secret>,
): { volume: string; secret: string } | undefined {
  return mounts(spec).find(({ secret, isOptional }) => !isOptional && secrets.get(secret) === undefined);
}

function mounts({ volumes = [] }: PodSpec): { volume: string; secret: string; isOptional: boolean }[] {
  return volumes.flatMap(({ name: volume, secret, projected }) => {
    const sources = isRecord(projected) && Array.isArray(projected["sources"]) ? projected["sources"] : [];
    return [secret, ...sources.map((source) => isRecord(source) ? source["secret"] : undefined)].flatMap((one) =>
      isRecord(one)
        ? [{ volume, secret: String(one["secretName"] ?? one["name"]), isOptional: one["optional"] === true }]
        : []
    );
  });
}

/** The container's variables; of what a field reference names, the metadata of the pod is known. */
export function envOf(pod: Pod | undefined, { env = [] }: Container): Record<string, string> {
  return Object.fromEntries(env.map(({ name, value, valueFrom }) => {
    const field = isRecord(valueFrom?.["fieldRef"]) ? String(valueFrom["fieldRef"]["fieldPath"]) : undefined;
    return [name, field === undefined ? value ?? "" : fieldOf(pod, field)];
  }));
}

function fieldOf(pod: Pod | undefined, path: string): string {
  const [, kind, key = ""] = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path) ?? [];
  if (kind === "labels") return pod?.metadata.labels?.[key] ?? "";
  if (kind === "annotations") return pod?.metadata.annotations?.[key] ?? "";
  const metadata: Record<string, unknown> = { ...pod?.metadata };
  return String(metadata[path.replace("metadata.", "")] ?? "");
}
