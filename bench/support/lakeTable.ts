import { mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Redacted, type Scope } from "effect"
import type { Catalog, TableName } from "../../layers/iceberg/catalog/Catalog.ts"
import type { IcebergError } from "../../layers/iceberg/IcebergError.ts"
import type { DataFile } from "../../layers/iceberg/manifest/DataFile.ts"
import { commitSnapshot, SILENT } from "../../layers/iceberg/table/commit.ts"
import type { LakeConfig } from "../../layers/lake/config.ts"
import { ensureTable, type WritableTable } from "../../layers/lake/ensureTable.ts"
import { openLake } from "../../layers/lake/openLake.ts"
import { encodeParquet } from "../../layers/lake/parquet/encode.ts"
import type { Rows } from "../../layers/lake/parquet/rows.ts"
import { PA_EVENTS } from "../../layers/lake/schema.ts"
import { watermarkOf } from "../../layers/lake/watermark.ts"
import { prepareAppend } from "../../layers/lake/writer/snapshotChanges.ts"
import { CREDENTIALS, REGION } from "../../scripts/services/credentials.ts"
import { endpoint } from "../../scripts/services/place.ts"
import { emptyLake, seaweedfs } from "../../scripts/services/seaweedfs.ts"
import { statusOf } from "../../scripts/services/status.ts"
import { ROOT } from "./server.ts"

export interface BenchLake {
  readonly catalog: Catalog
  readonly name: TableName
  /** The location of its files, in words. */
  readonly where: string
}

/** A lake with its catalog in the benchmark's database, on the local S3 if that runs, otherwise in a folder next to the project. */
export const openBenchLake = Effect.fnUntraced(function* (
  databaseUrl: string
): Effect.fn.Return<BenchLake, IcebergError, Scope.Scope> {
  const prefix = `bench-${crypto.randomUUID()}`
  const onS3 = yield* Effect.promise(async () => (await statusOf(seaweedfs)).state === "up")
  const warehouse = onS3
    ? `s3://lake/${prefix}`
    : `file://${yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(ROOT, ".bench-lake-"))),
        (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
      )}`
  if (onS3) yield* Effect.addFinalizer(() => Effect.promise(() => emptyLake(`${prefix}/`)))
  const config: LakeConfig = {
    catalogType: "jdbc",
    catalogName: prefix,
    namespace: ["bench"],
    warehouse,
    catalogUri: null,
    catalogCredentials: null,
    oauth2ServerUri: null,
    oauth2Scope: "catalog",
    signingName: "execute-api",
    s3Endpoint: onS3 ? endpoint.s3() : null,
    region: REGION,
    keys: onS3 ? CREDENTIALS.s3 : null,
    databaseUrl: Redacted.value(Redacted.make(databaseUrl))
  }
  const { catalog } = yield* openLake(config)
  return { catalog, name: { namespace: ["bench"], name: "pa_events" }, where: onS3 ? "local S3" : "a folder" }
})

export const openEvents = ({ catalog, name }: BenchLake) => ensureTable(catalog, name, PA_EVENTS)

export const writeFile = ({ table }: WritableTable, rows: Rows): Effect.Effect<DataFile, IcebergError> => {
  const { bytes, file } = encodeParquet(rows)
  const location = `${table.metadata.location}/data/${crypto.randomUUID()}.parquet`
  return Effect.as(table.store.write(location, bytes), { ...file, location })
}

/** Appends files as a collector does; returns the table after the commit. */
export const append = Effect.fnUntraced(function* (
  { catalog, name }: BenchLake,
  writable: WritableTable,
  files: ReadonlyArray<DataFile>
) {
  const watermark = watermarkOf(writable.table.metadata, "bench")
  const change = yield* prepareAppend(writable, files, { spoolId: "bench", watermark, upTo: watermark + 1 })
  return { ...writable, table: yield* commitSnapshot(catalog, name, change, SILENT, writable.table) }
})
