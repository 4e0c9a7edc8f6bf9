import type { LakeTableName } from "../../../../src/ports/LakeAdmin.ts"

export const TABLES: ReadonlyArray<LakeTableName> = ["pa_events", "pa_sessions", "pa_session_data"]

/** The requests of a commit to a table, in order. A flush makes them for each table that it has rows for. */
export const commitSteps = (table: LakeTableName) =>
  [
    { name: `data of ${table}`, of: "s3", matches: new RegExp(`^PUT \\S*/${table}-[^/]*/data/`) },
    {
      name: `manifest of ${table}`,
      of: "s3",
      matches: new RegExp(`^PUT \\S*/${table}-[^/]*/metadata/\\S*-m\\d+\\.avro`)
    },
    { name: `manifest list of ${table}`, of: "s3", matches: new RegExp(`^PUT \\S*/${table}-[^/]*/metadata/snap-`) },
    {
      name: `metadata of ${table}`,
      of: "s3",
      matches: new RegExp(`^PUT \\S*/${table}-[^/]*/metadata/\\d+-\\S*\\.metadata\\.json`)
    },
    // The only statement of the catalog that names a metadata file.
    {
      name: `commit of ${table}`,
      of: "catalog",
      matches: new RegExp(`/${table}-[^/]*/metadata/\\d+-[^/]*\\.metadata\\.json`)
    }
  ] as const

/** The first request for a table, before the first rows are encoded. */
export const firstRead = (table: LakeTableName): RegExp =>
  new RegExp(`^GET \\S*/${table}-[^/]*/metadata/\\S*\\.metadata\\.json`)
