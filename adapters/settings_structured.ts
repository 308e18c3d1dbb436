/** What of the settings is structured: the YAML file, the JSON of two variables, and the two files of custom fields. */
import { reasonOf } from "../mod/fault.ts";
import type { CustomSpec } from "./engine/pod/custom_spec.ts";
import type { PipelineTypes } from "./engine/pod/row.ts";
import type { FileSettings } from "./settings_file.ts";
import { ROWS } from "./settings_table.ts";

/** What was read, and each problem as a sentence that names the setting or the file. */
export interface Structured {
  file: FileSettings;
  /** Absent where no setting says anything of the jobs' pods. */
  pods?: {
    /** The rows that each engine's own variable gives. */
    argo?: PipelineTypes;
    kubernetes?: PipelineTypes;
    custom?: CustomSpec;
    /** The file that asks for what only a Workflow has, for the message of an engine that has none. */
    workflowSpecPath?: string;
  };
  problems: string[];
}

/** The values of the rows that name something structured, as the table read them. */
export interface StructuredSources {
  settingsFile: unknown;
  argoPipelineTypes: unknown;
  kubernetesPipelineTypes: unknown;
  containerSpecPath: unknown;
  workflowSpecPath: unknown;
}

/** Reads it all; what is wrong is told, never thrown. */
export async function readStructured(
  sources: StructuredSources,
  readText: (path: string) => string,
): Promise<Structured> {
  if (Object.values(sources).every((source) => source === undefined)) return { file: {}, problems: [] };
  // Loaded only where there is something to read: every start would pay for them.
  const [{ parseDocument }, { readFileSettings, readPipelineTypes }, custom] = await Promise.all([
    import("yaml"),
    import("./settings_file.ts"),
    import("./engine/pod/custom_spec.ts"),
  ]);
  const problems: string[] = [];
  type Checked<T> = { value?: T; problems?: string[] };
  const told = <T>(who: string, { value, problems: wrong = [] }: Checked<T>): T | undefined => {
    problems.push(...wrong.map((problem) => `${who}: ${problem}`));
    return value;
  };
  const fromFile = <T>(row: { name: string }, path: unknown, read: (value: unknown) => Checked<T>): T | undefined => {
    if (typeof path !== "string") return undefined;
    try {
      // The library's pretty errors would quote the file, and it may hold a credential in a variable.
      const document = parseDocument(readText(path), { prettyErrors: false });
      const [wrong] = document.errors;
      if (!wrong) return told(path, read(document.toJS() ?? {}));
      problems.push(`${path}: it is no YAML (${wrong.code} at character ${wrong.pos[0]})`);
    } catch (error) {
      problems.push(`${row.name} is ${JSON.stringify(path)}: ${reasonOf(error)}`);
    }
    return undefined;
  };
  const fromVariable = (row: { name: string }, value: unknown) =>
    value === undefined ? undefined : told(row.name, readPipelineTypes(value));

  const file = fromFile(ROWS.settingsFile, sources.settingsFile, readFileSettings) ?? {};
  const argo = fromVariable(ROWS.argoPipelineTypes, sources.argoPipelineTypes);
  const kubernetes = fromVariable(ROWS.kubernetesPipelineTypes, sources.kubernetesPipelineTypes);
  const container = fromFile(ROWS.containerSpecPath, sources.containerSpecPath, custom.readContainerSpec);
  const workflow = fromFile(ROWS.workflowSpecPath, sources.workflowSpecPath, custom.readWorkflowSpec);
  const pods = {
    ...argo ? { argo } : {},
    ...kubernetes ? { kubernetes } : {},
    ...container || workflow
      ? { custom: custom.customSpec(container ?? {}, workflow ?? { base: {}, workflowSpec: {} }) }
      : {},
    ...typeof sources.workflowSpecPath === "string" ? { workflowSpecPath: sources.workflowSpecPath } : {},
  };
  return { file, ...Object.keys(pods).length > 0 ? { pods } : {}, problems };
}
