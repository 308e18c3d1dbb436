/** Prepared statements over one connection. JSON becomes typed here, by the records' own schemas. */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type * as z from "zod/mini";
import { Fault, isFault, reasonOf } from "../../../mod/fault.ts";
import type { Log } from "../../../mod/ports.ts";

/** The tables whose rows hold a record as JSON in `body`. */
export type Table = "runners" | "tokens" | "pipelines" | "runs" | "run_statuses";

/** Statements by what they answer; `tail` is what stands behind the table's name. */
export interface Queries {
  run(sql: string, ...values: SQLInputValue[]): Promise<void>;
  /** The number of rows that were changed. */
  changes(sql: string, ...values: SQLInputValue[]): Promise<number>;
  /** The values of one column. */
  column(sql: string, ...values: SQLInputValue[]): Promise<(SQLInputValue | undefined)[]>;
  /** Faults: `malformed` for a row that cannot be read. */
  one<S extends z.ZodMiniType>(
    schema: S,
    table: Table,
    tail: string,
    ...values: SQLInputValue[]
  ): Promise<z.infer<S> | undefined>;
  /** A row that cannot be read is told and left out: one such row must not hide all others. */
  all<S extends z.ZodMiniType>(
    schema: S,
    table: Table,
    tail: string,
    ...values: SQLInputValue[]
  ): Promise<z.infer<S>[]>;
  /** As `all`, the first `limit` that can be read: fewer only where there are no more. -1: all. */
  page<S extends z.ZodMiniType>(
    schema: S,
    table: Table,
    tail: string,
    limit: number,
    ...values: SQLInputValue[]
  ): Promise<z.infer<S>[]>;
}

/** Makes them; each text is prepared once. */
export function createQueries(db: DatabaseSync, log: Log): Queries {
  const prepared = new Map<string, StatementSync>();
  const told = new Set<string>();
  const statement = (sql: string): StatementSync => {
    let known = prepared.get(sql);
    if (known === undefined) prepared.set(sql, known = db.prepare(sql));
    return known;
  };
  const select = (table: Table, tail: string) => statement(`SELECT rowid AS place, body FROM ${table} ${tail}`);
  // Async on purpose: what SQLite throws becomes a rejection, as with any other backend.
  return {
    // deno-lint-ignore require-await
    async run(sql, ...values) {
      statement(sql).run(...values);
    },
    // deno-lint-ignore require-await
    async changes(sql, ...values) {
      return Number(statement(sql).run(...values).changes);
    },
    // deno-lint-ignore require-await
    async column(sql, ...values) {
      return statement(sql).all(...values).map((row) => Object.values(row)[0]);
    },
    // deno-lint-ignore require-await
    async one(schema, table, tail, ...values) {
      const row = select(table, tail).get(...values);
      return row === undefined ? undefined : typed(schema, table, row);
    },
    // deno-lint-ignore require-await
    async all(schema, table, tail, ...values) {
      return select(table, tail).all(...values).flatMap((row) => readable(schema, table, row));
    },
    // deno-lint-ignore require-await
    async page<S extends z.ZodMiniType>(
      schema: S,
      table: Table,
      tail: string,
      limit: number,
      ...values: SQLInputValue[]
    ) {
      const found: z.infer<S>[] = [];
      for (let offset = 0, isMore = true; isMore;) {
        const wanted = limit - found.length;
        const rows = select(table, `${tail} LIMIT ? OFFSET ?`).all(...values, limit < 0 ? -1 : wanted, offset);
        found.push(...rows.flatMap((row) => readable(schema, table, row)));
        offset += rows.length;
        isMore = limit >= 0 && found.length < limit && rows.length === wanted;
      }
      return found;
    },
  };

  function readable<S extends z.ZodMiniType>(schema: S, table: Table, row: Row): z.infer<S>[] {
    try {
      return [typed(schema, table, row)];
    } catch (error) {
      if (!isFault(error, "malformed")) throw error;
      const place = `${table} ${row.place}`;
      if (!told.has(place)) log("error", "record.unreadable", { reason: error.message });
      told.add(place);
      return [];
    }
  }
}

type Row = Record<string, unknown>;

function typed<S extends z.ZodMiniType>(schema: S, table: Table, { place, body }: Row): z.infer<S> {
  const checked = schema.safeParse(parsed(body, table, place));
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const what = `${issue?.path.join(".") || "it"}: ${issue?.message}`;
  throw new Fault("malformed", `Cannot read row ${place} of ${table}: ${what}`, { cause: checked.error });
}

function parsed(body: unknown, table: Table, place: unknown): unknown {
  try {
    return JSON.parse(String(body));
  } catch (error) {
    throw new Fault("malformed", `Cannot read row ${place} of ${table}: ${reasonOf(error)}`);
  }
}
