/** The effective settings as the start-up log may show them: of what may hold a password, only the names. */
import type { PipelineTypes } from "./engine/pod/row.ts";
import type { Settings } from "./settings.ts";

/** Everything that decides what the runner does, without a value that could be a secret. */
export function shownSettings({ file, pods, extraEnvs, ...settings }: Settings): Record<string, unknown> {
  const { commands, ...local } = file.local ?? {};
  const { pipelineTypes } = file.ingestion ?? {};
  const shown = {
    ...settings,
    ...extraEnvs ? { extraEnvs: extraEnvs.map(({ name }) => name) } : {},
    file: {
      ...file.local ? { local: { ...local, commands: Object.keys(commands ?? {}) } } : {},
      ...pipelineTypes ? { ingestion: { pipelineTypes: fields(pipelineTypes) } } : {},
    },
    ...pods?.argo ? { argoPipelineTypes: fields(pods.argo) } : {},
    ...pods?.kubernetes ? { kubernetesPipelineTypes: fields(pods.kubernetes) } : {},
    ...pods?.custom
      ? { customSpec: { base: Object.keys(pods.custom.base), workflowSpec: Object.keys(pods.custom.workflowSpec) } }
      : {},
  };
  // Secrets write themselves as ***.
  return JSON.parse(JSON.stringify(shown));
}

function fields(types: PipelineTypes): Record<string, string[]> {
  return Object.fromEntries(Object.entries(types).map(([type, row]) => [type, Object.keys(row)]));
}
