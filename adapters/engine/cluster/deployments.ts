/**
 * Pipelines in the cluster. A deployed revision is one ControllerRevision (the definition, immutable) that owns the
 * Secret with the document. What a toggle says, and that a revision is complete, are annotations on it.
 *
 * On Secrets we have `create` and nothing else, so a document can neither be read back nor replaced: a Secret's name
 * carries the owner's uid, and "it exists already" means that an earlier try of ours made it.
 */
import * as z from "zod/mini";
import { Fault, isFault } from "../../../mod/fault.ts";
import { Job } from "../../../mod/job.ts";
import { revisionName } from "../../../mod/names.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { ApiObject } from "../../cluster/target.ts";
import { DOCUMENT_KEY } from "../pod/names.ts";
import type { Definition, Prepared } from "../pod/port.ts";
import { CONTROLLER_REVISIONS, SECRETS } from "./kinds.ts";
import type { Manifest, ManifestMetadata, OwnerReference } from "./manifest.ts";
import { ANNOTATIONS, LABELS, ownLabels, pipelineLabels, selectorOf } from "./marks.ts";

/** One revision as the cluster holds it. */
export interface Deployment {
  name: string;
  uid: string;
  pipelineId: string;
  revision: number;
  /** The newest revision of any command on it: its deploy, or a toggle after it. */
  commandRevision: number;
  enabled: boolean;
  /** Its Secret exists: it may run. */
  ready: boolean;
  digest: string;
  definition: Definition;
}

/** The revisions of all pipelines of one runner. */
export interface Deployments {
  /** Every revision of every pipeline, or of one. */
  list(pipelineId: string | undefined, signal: AbortSignal): Promise<Deployment[]>;
  /** Makes the revision and its Secret; it is not in force before `confirm`. What an earlier try made is found. */
  create(job: Job, prepared: Prepared, digest: string, signal: AbortSignal): Promise<Deployment>;
  /** Puts it in force, or changes what a toggle says. */
  confirm(deployment: Deployment, commandRevision: number, enabled: boolean, signal: AbortSignal): Promise<Deployment>;
  /** Takes it away, its Secret with it. */
  remove(deployment: Deployment, signal: AbortSignal): Promise<void>;
}

const Data = z.object({ job: z.omit(Job, { document: true }), delivery: z.enum(["inject", "passthrough", "plain"]) });
const Revision = z.object({ revision: z.int(), data: Data });

/** The newest revision that is in force. */
export function inForce(deployments: readonly Deployment[]): Deployment | undefined {
  return deployments.filter(({ ready }) => ready).sort((a, b) => b.revision - a.revision)[0];
}

/** The name of the Secret that holds a revision's document. */
export function documentSecretOf({ name, uid }: { name: string; uid: string }): string {
  return `${name}-${uid.replaceAll("-", "").slice(0, 8)}`;
}

/** The Secret of a document; `owner` takes it along when it goes. */
export function documentSecret(
  name: string,
  owner: OwnerReference,
  labels: Record<string, string>,
  document: string,
): Manifest {
  return {
    apiVersion: SECRETS.apiVersion,
    kind: SECRETS.kind,
    metadata: { name, labels, annotations: {}, ownerReferences: [owner] },
    type: "Opaque",
    immutable: true,
    stringData: { [DOCUMENT_KEY]: document },
  };
}

/** The revision's object, without its uid's Secret. */
export function revisionManifest(agentId: string, job: Job, definition: Definition, digest: string): Manifest {
  const metadata: ManifestMetadata = {
    name: revisionName(agentId, job.pipelineId, job.revision),
    labels: { ...pipelineLabels(agentId, job.pipelineId), [LABELS.revision]: String(job.revision) },
    annotations: {
      [ANNOTATIONS.agentId]: agentId,
      [ANNOTATIONS.pipelineId]: job.pipelineId,
      [ANNOTATIONS.pipelineName]: job.name,
      [ANNOTATIONS.contentDigest]: digest,
    },
  };
  const { apiVersion, kind } = CONTROLLER_REVISIONS;
  return { apiVersion, kind, metadata, revision: job.revision, data: definition };
}

/** Revisions in one namespace. */
export function createDeployments(
  { agentId, access, namespace }: { agentId: string; access: ClusterAccess; namespace: string },
): Deployments {
  const collection = { ...CONTROLLER_REVISIONS, namespace };

  async function found(name: string, signal: AbortSignal): Promise<Deployment | undefined> {
    try {
      return deploymentOf(await access.get({ ...collection, name }, signal));
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      throw error;
    }
  }

  async function made(job: Job, definition: Definition, digest: string, signal: AbortSignal): Promise<Deployment> {
    const manifest = revisionManifest(agentId, job, definition, digest);
    for (let again = false;; again = true) {
      try {
        const deployment = deploymentOf(await access.create(collection, manifest, signal));
        if (deployment) return deployment;
        throw new Fault("malformed", `Cannot deploy pipeline "${job.pipelineId}": the answer is no revision of ours`);
      } catch (error) {
        if (!isFault(error, "conflict") || again) throw error;
        const there = await found(manifest.metadata.name, signal);
        if (there && there.digest === digest) return there;
        if (there?.ready) throw error;
        // What an earlier try with other content left half-made goes.
        if (there) await remove(there, signal);
      }
    }
  }

  async function remove({ name, uid }: Deployment, signal: AbortSignal): Promise<void> {
    try {
      await access.delete({ ...collection, name }, { propagationPolicy: "Background", preconditions: { uid } }, signal);
    } catch (error) {
      // Gone, or another one by now: either way this one is no more.
      if (!isFault(error, "not_found") && !isFault(error, "conflict")) throw error;
    }
  }

  return {
    async list(pipelineId, signal) {
      const labels = pipelineId === undefined ? ownLabels(agentId) : pipelineLabels(agentId, pipelineId);
      const deployments: Deployment[] = [];
      for await (const object of access.list(collection, { labelSelector: selectorOf(labels) }, signal)) {
        const deployment = deploymentOf(object);
        if (deployment) deployments.push(deployment);
      }
      return deployments;
    },
    async create(job, { definition, document }, digest, signal) {
      const deployment = await made(job, definition, digest, signal);
      const { name, uid } = deployment;
      const { apiVersion, kind } = CONTROLLER_REVISIONS;
      const owner = { apiVersion, kind, name, uid };
      const labels = pipelineLabels(agentId, job.pipelineId);
      try {
        await access.create(
          { ...SECRETS, namespace },
          documentSecret(documentSecretOf(deployment), owner, labels, document),
          signal,
        );
      } catch (error) {
        if (isFault(error, "conflict")) return deployment;
        // Nothing half-made stays, unless it is in force already: then a repeat is what failed.
        if (!deployment.ready) await remove(deployment, signal).catch(() => {});
        throw error;
      }
      return deployment;
    },
    async confirm({ name }, commandRevision, enabled, signal) {
      const annotations = {
        [ANNOTATIONS.ready]: "true",
        [ANNOTATIONS.enabled]: String(enabled),
        [ANNOTATIONS.commandRevision]: String(commandRevision),
      };
      const deployment = deploymentOf(
        await access.patch({ ...collection, name }, { metadata: { annotations } }, signal),
      );
      if (deployment) return deployment;
      throw new Fault("malformed", `Cannot confirm revision ${name}: the answer is no revision of ours`);
    },
    remove,
  };
}

function deploymentOf(object: ApiObject): Deployment | undefined {
  const read = Revision.safeParse(object);
  const { name, uid, annotations = {} } = object.metadata;
  const digest = annotations[ANNOTATIONS.contentDigest];
  if (!read.success || digest === undefined) return undefined;
  const { revision, data } = read.data;
  const commanded = Number(annotations[ANNOTATIONS.commandRevision]);
  return {
    name,
    uid,
    pipelineId: data.job.pipelineId,
    revision,
    commandRevision: Number.isInteger(commanded) ? commanded : revision,
    enabled: annotations[ANNOTATIONS.enabled] !== "false",
    ready: annotations[ANNOTATIONS.ready] === "true",
    digest,
    definition: data,
  };
}
