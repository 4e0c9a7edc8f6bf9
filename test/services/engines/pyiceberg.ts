import { join } from "node:path"
import { CREDENTIALS } from "../../../scripts/services/credentials.ts"
import { postgresUrl } from "../../../scripts/services/database.ts"
import { pyicebergPython } from "../../../scripts/services/engines.ts"
import { type Change, ChangeAnswer, type LibraryCheck, LibraryCheckAnswer } from "./answers.ts"
import { type CatalogPlace, s3Place } from "./CatalogPlace.ts"
import { runEngine } from "./runEngine.ts"

const PROGRAM = join(import.meta.dir, "python", "iceberg_table.py")

/** pyiceberg's properties of the catalog. It has none for folders. */
const properties = (place: CatalogPlace): Readonly<Record<string, string>> => {
  const s3 = s3Place()
  const files = {
    "s3.endpoint": s3.endpoint,
    "s3.region": s3.region,
    "s3.access-key-id": s3.accessKeyId,
    "s3.secret-access-key": s3.secretAccessKey
  }
  switch (place.type) {
    case "jdbc": {
      const uri = postgresUrl(place.database).replace(/^postgres:/, "postgresql+psycopg2:")
      return { name: place.name, type: "sql", uri, warehouse: place.warehouse, ...files }
    }
    case "rest":
      return {
        name: "rest",
        type: "rest",
        uri: place.uri,
        warehouse: place.warehouse,
        credential: `${CREDENTIALS.s3.accessKeyId}:${CREDENTIALS.s3.secretAccessKey}`,
        "oauth2-server-uri": place.tokens,
        ...files
      }
    case "glue":
      return {
        name: "glue",
        type: "glue",
        warehouse: place.warehouse,
        "glue.endpoint": place.endpoint,
        "glue.region": s3.region,
        "glue.access-key-id": CREDENTIALS.moto.accessKeyId,
        "glue.secret-access-key": CREDENTIALS.moto.secretAccessKey,
        ...files
      }
    case "hadoop":
      throw new TypeError("pyiceberg has no catalog of folders")
  }
}

interface Call {
  readonly place: CatalogPlace
  /** `namespace.name` */
  readonly table: string
  readonly deadlineMs?: number
}

const request = async (command: string, { place, table, deadlineMs }: Call, more: object) => ({
  command: [await pyicebergPython(), PROGRAM],
  input: { command, catalog: properties(place), table, ...more },
  deadlineMs
})

/** pyiceberg 0.12: an implementation of Iceberg in Python and Rust. */
export const pyiceberg = {
  /** Reads every row and every manifest. `filter` is pyiceberg's expression, as in `site_id = 'x'`. */
  check: async (call: Call & { readonly id: string; readonly filter?: string }): Promise<LibraryCheck> =>
    runEngine(LibraryCheckAnswer, await request("check", call, { id: call.id, filter: call.filter ?? null })),
  /** Rows made up for whatever columns the table has; the same ones for the same `start`. */
  append: async (call: Call & { readonly rows: number; readonly start?: number }): Promise<Change> =>
    runEngine(ChangeAnswer, await request("append", call, { rows: call.rows, start: call.start ?? 0 })),
  /** Drops every snapshot but the current one from the metadata. */
  expire: async (call: Call): Promise<Change> => runEngine(ChangeAnswer, await request("expire", call, {})),
  /** A table of our shape: day and site to a partition, map, decimals, microseconds; fewer columns than `pa_events`. */
  create: async (call: Call): Promise<Change> => runEngine(ChangeAnswer, await request("create", call, {}))
}
