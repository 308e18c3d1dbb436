/** How a job gets its document, and who puts values in place of the references in it. */
import { isAlias, isMap, isScalar, parseDocument } from "yaml";
import { Fault } from "../../../mod/fault.ts";
import type { Job } from "../../../mod/job.ts";
import { openDocument } from "../../../mod/secrets/document.ts";
import { mapReference } from "../../../mod/secrets/mapping.ts";
import { isFrameworkManager, passthroughDocument } from "../../../mod/secrets/passthrough.ts";
import { parseReference } from "../../../mod/secrets/reference.ts";
import { parseImage } from "./image.ts";
import type { Delivery } from "./port.ts";
import type { Shape } from "./rows.ts";
import type { PodSettings } from "./settings.ts";

/** The type of the runner's own job that does nothing (`canary.run`). */
export const CANARY = "canary";

/** The image of the job's container. Faults: `invalid` (no image's name, or none is named), `unavailable` (the canary's). */
export function imageOf(settings: PodSettings, shape: Shape, job: Pick<Job, "type" | "image">): string {
  if (job.type === CANARY) return runnerImageOf(settings);
  const image = job.image ?? shape.image ?? settings.ingestionImage;
  if (image === undefined) {
    throw invalidImage("none is named; set INGESTION_IMAGE, or image of its pipeline type, or name one in the job");
  }
  if (parseImage(image) === undefined) {
    throw invalidImage(`${JSON.stringify(image)} is no image's name; write [HOST[:PORT]/]PATH[:TAG][@DIGEST]`);
  }
  return image;
}

/** This runner's own image. Fault `unavailable` where no setting names it. */
export function runnerImageOf({ runnerImage }: PodSettings): string {
  if (runnerImage !== undefined) return runnerImage;
  const reason = "HYBRID_RUNNER_IMAGE is not set; set it to the image of this runner, which resolves references there";
  throw new Fault("unavailable", `Cannot make the job's pod: ${reason}`);
}

/** True for an image with OpenMetadata's entry points: that of the settings, or one whose row says so. */
export function isOpenMetadata({ ingestionImage }: PodSettings, shape: Shape, image: string): boolean {
  if (shape.delivery === "python-env") return true;
  return ingestionImage !== undefined && parseImage(image)?.repository === parseImage(ingestionImage)?.repository;
}

/**
 * The delivery of a job, and the document as its Secret carries it. Faults: `invalid` with `path` for what is no
 * document, for malformed references and those that the provider or the framework cannot have.
 */
export function deliver(settings: PodSettings, shape: Shape, job: Job): { delivery: Delivery; document: string } {
  const { document, kind, type } = job, { secretsManager } = settings;
  const { references } = openDocument(document);
  if (type === CANARY) return { delivery: "plain", document };
  if (resolutionOf(settings, shape, job) === "inject") {
    for (const reference of references) mapReference(secretsManager, parseReference(reference));
    return { delivery: references.length === 0 ? "plain" : "inject", document };
  }
  const rewritten = passthroughDocument(document, secretsManager, kind);
  return { delivery: isFrameworkManager(secretsManager) ? "passthrough" : "plain", document: rewritten };
}

function resolutionOf(settings: PodSettings, shape: Shape, job: Job): "inject" | "passthrough" {
  const { resolution = "auto" } = shape;
  if (resolution !== "auto") return resolution;
  if (!isOpenMetadata(settings, shape, imageOf(settings, shape, job))) return "inject";
  // An automation, and what has no connection of its own, asks the server for it and finds the references there.
  return job.kind === "automation" || !hasOwnConnection(job.document) ? "passthrough" : "inject";
}

function hasOwnConnection(text: string): boolean {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
  let node: unknown = document.contents;
  for (const key of ["source", "serviceConnection"]) {
    node = isMap(node) ? node.get(key, true) : undefined;
    if (isAlias(node)) node = node.resolve(document);
  }
  return node !== undefined && node !== null && !(isScalar(node) && node.value === null);
}

function invalidImage(reason: string): Fault {
  return new Fault("invalid", `Cannot make the job's pod, for its image: ${reason}`, { path: "image" });
}
