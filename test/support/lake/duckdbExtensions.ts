import { existsSync } from "node:fs"
import { join } from "node:path"
import { DUCKDB_EXTENSIONS, duckdbExtensions } from "../../../scripts/services/engines.ts"
import { inServices } from "../../../scripts/services/place.ts"
import { notTested } from "../notTested.ts"

/** The folder of DuckDB's extensions, for `test.skipIf(extensions === null)`; null before `bun run services up` has fetched them. */
export const fetchedDuckdbExtensions = async (): Promise<string | null> => {
  const isFetched = DUCKDB_EXTENSIONS.every((name) =>
    existsSync(inServices(join("duckdb-extensions", `${name}.duckdb_extension`)))
  )
  if (isFetched || process.env["FOOTFALL_SERVICES_REQUIRED"] === "1") return duckdbExtensions()
  notTested("DuckDB's extensions are not fetched; `bun run services up` fetches them.")
  return null
}
