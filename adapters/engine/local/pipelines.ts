/** The folder of pipelines: one file each, replaced as a whole. */
import { pipelineName } from "../../../mod/names.ts";
import type { Log } from "../../../mod/ports.ts";
import { HeldPipeline, type PipelineStore } from "../revisions.ts";
import { namesIn, readJson, removeAll, writeWhole } from "./disk.ts";

/** The pipelines under `<base>/pipelines`. */
export function openPipelines(base: string, agentId: string, log: Log): PipelineStore {
  const folder = `${base}/pipelines`;
  const pathOf = (pipelineId: string) => `${folder}/${pipelineName(agentId, pipelineId)}.json`;
  // Documents are large: a file is parsed again only when it is another one (each save makes a new inode).
  const parsed = new Map<string, { mark: string; held: HeldPipeline | undefined }>();

  const read = async (path: string): Promise<HeldPipeline | undefined> => {
    const stat = await Deno.stat(path).catch(() => undefined);
    const mark = `${stat?.ino} ${stat?.mtime?.getTime()} ${stat?.size}`;
    const known = parsed.get(path);
    if (stat !== undefined && known?.mark === mark) return known.held;
    const held = await readJson(path, HeldPipeline);
    if (held === undefined) parsed.delete(path);
    else parsed.set(path, { mark, held });
    return held;
  };

  return {
    read: (pipelineId) => read(pathOf(pipelineId)),
    async all() {
      const found: HeldPipeline[] = [];
      for (const name of await namesIn(folder)) {
        if (!name.endsWith(".json")) continue;
        try {
          const held = await read(`${folder}/${name}`);
          if (held !== undefined) found.push(held);
        } catch (error) {
          log("error", "pipeline-unreadable", { error });
        }
      }
      return found;
    },
    save: (held) => writeWhole(pathOf(held.pipelineId), JSON.stringify(held)),
    remove: (pipelineId) => removeAll(pathOf(pipelineId)),
  };
}
