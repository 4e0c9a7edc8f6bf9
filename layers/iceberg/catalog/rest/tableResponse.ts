import { Effect, Schema } from "effect"
import { IcebergError } from "../../IcebergError.ts"
import type { TableMetadata } from "../../metadata/TableMetadata.ts"
import type { TableName } from "../Catalog.ts"
import { asTableMetadata } from "../metadataFiles.ts"
import { showName } from "../tableName.ts"
import { AccessConfig } from "./tableAccess.ts"

const TableResult = Schema.Struct({
  ...AccessConfig.fields,
  metadata: Schema.Unknown,
  "metadata-location": Schema.optional(Schema.NullOr(Schema.String))
})
const isTableResult = Schema.is(TableResult)

/** A catalog's response to a load, create or commit (OpenAPI, `LoadTableResult`). */
export interface TableResponse {
  readonly metadata: TableMetadata
  /** "" if the server does not report it. */
  readonly metadataLocation: string
  readonly access: AccessConfig
}

export const readTableResponse = Effect.fnUntraced(function* (
  body: unknown,
  name: TableName,
  host: string
): Effect.fn.Return<TableResponse, IcebergError> {
  if (!isTableResult(body)) {
    return yield* IcebergError.invalid(`The catalog at ${host} did not return a table: check its URI.`)
  }
  const metadata = yield* asTableMetadata(body.metadata, `${showName(name)} at ${host}`)
  return { metadata, metadataLocation: body["metadata-location"] ?? "", access: body }
})
