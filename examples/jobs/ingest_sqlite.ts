// deno-lint-ignore-file no-console
/**
 * An ingestion job: reads the schema of a SQLite database and writes it where the document's sink says. It takes its
 * configuration as every job does: a file whose path is in HYBRID_RUNNER_CONFIG, with the secrets already in it.
 */
import { DatabaseSync } from "node:sqlite";
import { parse } from "yaml";
import * as z from "zod/mini";
import { open } from "./sealed.ts";

/** What this job needs of OpenMetadata's workflow configuration. */
const Document = z.object({
  source: z.object({
    serviceName: z.string(),
    serviceConnection: z.object({
      config: z.object({ type: z.literal("SQLite"), databaseMode: z.string(), password: z.string() }),
    }),
  }),
  sink: z.object({ type: z.literal("file"), config: z.object({ filename: z.string() }) }),
});

/** What the sink gets. */
export interface Ingested {
  service: string;
  tables: { name: string; type: "table" | "view"; rows?: number; columns: { name: string; type: string }[] }[];
}

const Table = z.object({ name: z.string(), type: z.enum(["table", "view"]) });
const Column = z.object({ name: z.string(), type: z.string() });
const Count = z.object({ n: z.number() });

async function main(): Promise<void> {
  try {
    const { source, sink } = Document.parse(parse(await Deno.readTextFile(Deno.env.get("HYBRID_RUNNER_CONFIG") ?? "")));
    const { databaseMode, password } = source.serviceConnection.config;
    say(`service ${source.serviceName}: opening ${databaseMode.split("/").at(-1)}`);
    const content = await open(await Deno.readFile(databaseMode), password);
    const ingested = { service: source.serviceName, tables: await withDatabase(content, readSchema) };
    await Deno.writeTextFile(sink.config.filename, JSON.stringify(ingested, undefined, 2));
    const columns = ingested.tables.reduce((sum, table) => sum + table.columns.length, 0);
    say(`done: ${ingested.tables.length} tables and views, ${columns} columns`);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}

/** SQLite opens files only: a private copy that is gone as soon as it is open. */
async function withDatabase<T>(content: Uint8Array, use: (database: DatabaseSync) => T): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "ingest-" });
  const path = `${folder}/database`;
  try {
    await Deno.writeFile(path, content, { mode: 0o600 });
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      return use(database);
    } finally {
      database.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function readSchema(database: DatabaseSync): Ingested["tables"] {
  const named =
    "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY type, name";
  return z.array(Table).parse(database.prepare(named).all()).map(({ name, type }) => {
    const columns = z.array(Column).parse(database.prepare("SELECT name, type FROM pragma_table_info(?)").all(name));
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const rows = type === "table"
      ? Count.parse(database.prepare(`SELECT count(*) AS n FROM ${quoted}`).get()).n
      : undefined;
    say(`${type} ${name}: ${columns.length} columns${rows === undefined ? "" : `, ${rows} rows`}`);
    return { name, type, ...rows === undefined ? {} : { rows }, columns };
  });
}

function say(text: string): void {
  console.log(`${new Date().toISOString()} ${text}`);
}

if (import.meta.main) await main();
