import { Effect, type Scope } from "effect"
import type { LakeProbe, LakeTableName } from "../../src/ports/LakeAdmin.ts"
import { IcebergError, nullIfNotFound } from "../iceberg/IcebergError.ts"
import { withoutSlash } from "../iceberg/io/location.ts"
import { newerCommittedMetadata } from "../iceberg/maintenance/newestMetadata.ts"
import { currentSnapshot } from "../iceberg/metadata/TableMetadata.ts"
import { manifestsOf } from "../iceberg/table/files.ts"
import type { LakeConfig } from "./config.ts"
import { checkWritable } from "./ensureTable.ts"
import { type Lake, openLake, openWarehouse } from "./openLake.ts"
import { LAKE_TABLES } from "./schema.ts"

/** How long each part may take. */
const TIMEOUT = "20 seconds"

const CONTENT = new TextEncoder().encode("Written by Footfall to check the warehouse; it may be removed.\n")

const probe = (part: LakeProbe["part"], state: LakeProbe["state"], message: string): LakeProbe => ({
  part,
  state,
  message
})

/** The error of a part, or that it did not answer. */
const within = <A, R>(work: Effect.Effect<A, IcebergError, R>) =>
  work.pipe(
    Effect.timeoutOrElse({
      duration: TIMEOUT,
      orElse: () => Effect.fail({ reason: "Unavailable", message: `It did not answer within ${TIMEOUT}.` } as const)
    })
  )

/** Writes, reads and removes a file. Credentials and bucket fail with different reasons. */
const probeWarehouse = Effect.fnUntraced(function* (
  config: LakeConfig
): Effect.fn.Return<ReadonlyArray<LakeProbe>, never, Scope.Scope> {
  const where = withoutSlash(config.warehouse ?? "")
  const work = Effect.gen(function* () {
    const store = yield* openWarehouse(config)
    // A REST catalog vends access to each table; it is checked with the tables.
    if (store === null) return null
    const location = `${where}/footfall-check-${crypto.randomUUID()}`
    yield* store.write(location, CONTENT)
    yield* Effect.ensuring(store.read(location), Effect.ignore(store.remove([location])))
    return where
  })
  const result = yield* Effect.result(within(work))
  const isS3 = where.startsWith("s3")
  if (result._tag === "Success") {
    if (result.success === null) return []
    return [
      ...(isS3 ? [probe("credentials", "ok", "accepted")] : []),
      probe(isS3 ? "bucket" : "folder", "ok", `${where} can be written to and read`)
    ]
  }
  const { message, reason } = result.failure
  if (!isS3) return [probe("folder", "bad", `${where} can't be written to: ${message}`)]
  return reason === "Denied"
    ? [probe("credentials", "bad", message), probe("bucket", "note", `${where} was not reached: access was denied`)]
    : [probe("bucket", "bad", message)]
})

const probeTable = Effect.fnUntraced(function* (
  { catalog, namespace }: Lake,
  name: LakeTableName
): Effect.fn.Return<LakeProbe> {
  const lakeTable = LAKE_TABLES.find((candidate) => candidate.name === name)!
  const result = yield* Effect.result(
    within(
      Effect.gen(function* () {
        const table = yield* nullIfNotFound(catalog.load({ namespace, name }))
        if (table === null) return null
        const snapshot = currentSnapshot(table.metadata)
        if (snapshot !== null) yield* manifestsOf(table, snapshot)
        yield* checkWritable(table, lakeTable)
        const newest = yield* newerCommittedMetadata(table)
        if (newest !== null) {
          return yield* IcebergError.invalid(
            `The catalog was rolled back: it names ${table.metadataLocation}, but the newest metadata is ${newest}. Run \`bun run footfall lake recover --dry-run\`, then without --dry-run.`
          )
        }
        return table.metadata.location
      })
    )
  )
  if (result._tag === "Failure") return probe(name, "bad", result.failure.message)
  return result.success === null
    ? probe(name, "note", "does not exist yet; the first flush that has rows for it creates it")
    : probe(name, "ok", result.success)
})

/**
 * Looks at every part of a lake: whether credentials are accepted, the bucket or folder can be written to, the catalog answers, and each
 * table can be read and written to. A part that fails hides no other.
 */
export const probeLake = Effect.fnUntraced(function* (
  config: LakeConfig
): Effect.fn.Return<ReadonlyArray<LakeProbe>, never, Scope.Scope> {
  const warehouse = yield* probeWarehouse(config)
  const opened = yield* Effect.result(openLake(config))
  if (opened._tag === "Failure") return [...warehouse, probe("catalog", "bad", opened.failure.message)]
  const tables = yield* Effect.forEach(LAKE_TABLES, ({ name }) => probeTable(opened.success, name), {
    concurrency: "unbounded"
  })
  // A catalog that answers for one table answers.
  const answered = tables.some(({ state }) => state !== "bad")
  const [first] = tables
  const catalog = answered
    ? probe("catalog", "ok", `the ${config.catalogType} catalog answers`)
    : probe("catalog", "bad", first?.message ?? "it has no tables")
  return [...warehouse, catalog, ...tables]
})
