/** Runs by command: the object's name is the runId's, so a repeat finds what the first one made. */
import { Fault, isFault } from "../../../mod/fault.ts";
import { contentDigest } from "../../../mod/digest.ts";
import { runName } from "../../../mod/names.ts";
import type { Clock, StartRequest } from "../../../mod/ports.ts";
import { isTerminal } from "../../../mod/run.ts";
import type { ClusterAccess } from "../../cluster/port.ts";
import type { ApiObject } from "../../cluster/target.ts";
import type { Definition } from "../pod/port.ts";
import { type Deployments, documentSecret, documentSecretOf, inForce } from "./deployments.ts";
import { SECRETS } from "./kinds.ts";
import type { Looks } from "./look.ts";
import { marksOf, pipelineHash, pipelineLabels } from "./marks.ts";
import { type PlanOptions, requestDigest, runManifest } from "./plans.ts";
import type { Store } from "./store.ts";

/** Creates the run's object, or finds it. Faults: `conflict`, `not_found`, `invalid`, and those of the access. */
export type Starter = (request: StartRequest, signal: AbortSignal) => Promise<Started>;

/** The run's object, and whether it was made just now: then nothing can have happened to it yet. */
export interface Started {
  object: ApiObject;
  isNew: boolean;
}

/** What starting needs. */
export interface StarterOptions extends PlanOptions {
  access: ClusterAccess;
  namespace: string;
  deployments: Deployments;
  looks: Looks;
  store: Store;
  /** Resolves when all runs are known; rejects where they cannot be. */
  ready(signal: AbortSignal): Promise<void>;
  clock: Clock;
}

/** A little more than the API server's clock can tell apart. */
const SECOND_MS = 1_050;

interface Content {
  definition: Definition;
  revision: number;
  documentSecret: string;
  /** The run's own document. */
  own?: string;
}

/** A starter; calls for one pipeline must come one after the other. */
export function createStarter(options: StarterOptions): Starter {
  const { agentId, access, namespace, dialect, deployments, looks, store, clock, pods } = options;
  const runs = { ...dialect.runs, namespace };
  const lastCreated = new Map<string, number>();
  let newest = 0;

  async function contentOf(request: StartRequest, accepted: string, signal: AbortSignal): Promise<Content> {
    const { runId, pipelineId, job, revision } = request;
    const subject = `Cannot start run ${runId} of pipeline "${pipelineId}"`;
    if (job !== undefined) {
      if (job.pipelineId !== pipelineId) {
        throw new Fault("invalid", `${subject}: its job names pipeline "${job.pipelineId}"`, {
          path: "job.pipelineId",
        });
      }
      const { definition, document } = pods.prepare(job);
      // Another name each time: the Secret of a run that was deleted may be on its way out under the old one.
      const suffix = contentDigest(agentId, runId, accepted).slice(0, 8);
      const secret = `${runName(agentId, runId)}-${suffix}`;
      return { definition, revision: job.revision, documentSecret: secret, own: document };
    }
    const held = inForce(await deployments.list(pipelineId, signal));
    if (held === undefined) throw new Fault("not_found", `${subject}: it is not deployed`);
    if (revision !== undefined && revision !== held.revision) {
      throw new Fault("conflict", `${subject}: revision ${held.revision} is in force, not ${revision}`);
    }
    return { definition: held.definition, revision: held.revision, documentSecret: documentSecretOf(held) };
  }

  /** The same request made it: its Secret may still be missing. Another request: a conflict. */
  async function adopt(
    there: ApiObject,
    digest: string,
    request: StartRequest,
    signal: AbortSignal,
  ): Promise<Started> {
    const marks = marksOf(there);
    if (marks?.contentDigest !== digest) {
      throw new Fault("conflict", `Cannot start run ${request.runId}: a run of this id with other content exists`);
    }
    const facts = store.put(there);
    const pending = facts !== undefined && facts.phase !== "succeeded" && facts.phase !== "failed";
    if (request.job !== undefined && marks.documentSecret !== undefined && pending) {
      const { document } = pods.prepare(request.job);
      await giveDocument(there, marks.documentSecret, document, request.pipelineId, signal);
    }
    return { object: there, isNew: false };
  }

  async function giveDocument(
    { metadata: { name, uid } }: ApiObject,
    secret: string,
    document: string,
    pipelineId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { apiVersion, kind } = dialect.runs;
    const manifest = documentSecret(
      secret,
      { apiVersion, kind, name, uid },
      pipelineLabels(agentId, pipelineId),
      document,
    );
    try {
      await access.create({ ...SECRETS, namespace }, manifest, signal);
    } catch (error) {
      if (!isFault(error, "conflict")) throw error;
    }
  }

  function mustWait(pipelineId: string, { job }: Definition): boolean {
    if (dialect.hasMutex || job.maxActiveRuns !== 1) return false;
    const hash = pipelineHash(agentId, pipelineId);
    for (const { facts, standing } of store.live()) {
      if (facts.marks.pipelineHash === hash && !isTerminal(standing.state)) return true;
    }
    return false;
  }

  /**
   * The engine's own mutex takes the older one first, by a creation time of whole seconds: of two in the same second
   * either may be first, and the order of the commands would be lost.
   */
  async function keepOrder(pipelineId: string, { job }: Definition, signal: AbortSignal): Promise<void> {
    for (const [id, at] of lastCreated) if (clock.now() - at > SECOND_MS) lastCreated.delete(id);
    const before = lastCreated.get(pipelineId);
    if (!dialect.hasMutex || job.maxActiveRuns !== 1 || before === undefined) return;
    await clock.sleep(Math.max(0, before + SECOND_MS - clock.now()), signal);
  }

  return async (request, signal) => {
    const { runId, pipelineId } = request;
    const name = runName(agentId, runId), digest = requestDigest(agentId, request);
    // What must wait is only known once all runs are.
    if (!dialect.hasMutex) await options.ready(signal);
    // Rises with every start: the order in which runs of a pipeline get their turn.
    newest = Math.max(newest + 1, clock.now(), Date.parse(request.received));
    const accepted = new Date(newest).toISOString();
    let content: Content;
    try {
      content = await contentOf(request, accepted, signal);
    } catch (error) {
      // What would be refused now may have been done already: the pipeline may be another since, or gone.
      signal.throwIfAborted();
      const there = await looks.object(name, signal);
      if (there !== undefined) return await adopt(there, digest, request, signal);
      throw error;
    }
    const held = mustWait(pipelineId, content.definition);
    await keepOrder(pipelineId, content.definition, signal);
    const manifest = runManifest(
      { ...content, request, digest, accepted, held, ownDocument: content.own !== undefined },
      options,
    );
    let made: ApiObject;
    try {
      made = await access.create(runs, manifest, signal);
    } catch (error) {
      const other = isFault(error, "conflict") || isFault(error, "unavailable")
        ? await looks.object(name, signal)
        : undefined;
      // It is a repeat, somebody was faster, or the answer was lost on its way.
      if (other !== undefined) return await adopt(other, digest, request, signal);
      throw error;
    }
    store.put(made);
    lastCreated.set(pipelineId, clock.now());
    if (content.own !== undefined) {
      try {
        await giveDocument(made, content.documentSecret, content.own, pipelineId, signal);
      } catch (error) {
        // A definite no leaves nothing half-made; where the outcome is not known, the repeated command heals.
        if (!isFault(error, "unavailable") && isFault(error)) await unmake(made, signal);
        throw error;
      }
    }
    return { object: made, isNew: true };
  };

  async function unmake({ metadata: { name, uid } }: ApiObject, signal: AbortSignal): Promise<void> {
    await access.delete({ ...runs, name }, { propagationPolicy: "Background", preconditions: { uid } }, signal)
      .catch(() => {});
    store.forget(store.byName(name)?.facts.marks.runId ?? uid);
  }
}
