import { Effect, Layer, Redacted, type Scope, Stream } from "effect"
import type { StartError } from "../../src/domain/StartError.ts"
import {
  type AsOf,
  type Query,
  QueryEngine,
  type QueryError,
  rowLimit,
  tookTooLong
} from "../../src/ports/QueryEngine.ts"
import { Settings } from "../../src/ports/Settings.ts"
import {
  DUCKDB_EXTENSION_DIRECTORY,
  DUCKDB_MEMORY_LIMIT,
  EXPORT_TIMEOUT_SECONDS,
  WAREHOUSE_TIMEOUT_SECONDS
} from "../../src/settings/settings.ts"
import { makeDuckDbChild } from "./child/DuckDbChild.ts"
import type { OpenOptions, S3Keys } from "./child/protocol.ts"

/** How to read the lake's files. */
export interface S3Access {
  /** Null for AWS. */
  readonly endpoint: string | null
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted<string>
  readonly sessionToken?: Redacted.Redacted<string> | undefined
}

/** How to find the lake. Used again for each query, since tables and keys change. */
export interface DuckDbLake {
  /** The table's current metadata file, `s3://…` or a path. DuckDB itself does not support jdbc, glue and hadoop catalogs. */
  readonly locate: (table: string) => Effect.Effect<string, QueryError>
  /** Null if the lake is in a local folder. */
  readonly s3: Effect.Effect<S3Access | null, QueryError>
  /** As of the last flush. */
  readonly asOf: Effect.Effect<AsOf, QueryError>
}

export interface DuckDbOptions extends DuckDbLake, OpenOptions {
  /** The program of DuckDB's process: it must call `serveDuckDb`. */
  readonly entry: URL
  readonly deadlineMs: number
  readonly exportDeadlineMs: number
  /** Whether DuckDB is opened by the first query. Otherwise, it is opened now, and a failure is a failure to start. */
  readonly lazily?: boolean
  readonly maxRows?: number
}

const keysOf = ({ accessKeyId, endpoint, region, secretAccessKey, sessionToken }: S3Access): S3Keys => ({
  endpoint,
  region,
  accessKeyId,
  secretAccessKey: Redacted.value(secretAccessKey),
  sessionToken: sessionToken === undefined ? null : Redacted.value(sessionToken)
})

/** Runs queries in a DuckDB in a process of its own. Nothing of the lake is cached between queries. */
export const makeDuckDbQueryEngine = Effect.fnUntraced(function* (
  options: DuckDbOptions
): Effect.fn.Return<QueryEngine["Service"], StartError, Scope.Scope> {
  const { asOf, deadlineMs, entry, exportDeadlineMs, extensionFolder, locate, lazily, maxRows, memoryLimit, s3 } =
    options
  const child = yield* makeDuckDbChild(entry, { extensionFolder, memoryLimit })
  if (lazily !== true) yield* child.ensureOpened
  const requestOf = Effect.fnUntraced(function* (query: Query, limit: number) {
    const access = yield* s3
    const locations = yield* Effect.forEach(query.tables, (table) =>
      Effect.map(locate(table), (metadata) => [table, metadata] as const)
    )
    return { query, locations, s3: access === null ? null : keysOf(access), maxRows: limit }
  })
  const late = Effect.timeoutOrElse({ duration: deadlineMs, orElse: () => Effect.fail(tookTooLong(deadlineMs)) })
  return QueryEngine.of({
    dialect: "duckdb",
    model: "lake",
    run: (query) => late(Effect.flatMap(requestOf(query, rowLimit(query, maxRows)), child.run)),
    stream: (query, spentMs) =>
      Stream.unwrap(
        Effect.map(late(requestOf(query, query.maxRows ?? Number.POSITIVE_INFINITY)), (request) =>
          child.stream(request, { deadlineMs: exportDeadlineMs, spentMs })
        )
      ),
    asOf: late(asOf)
  })
})

/** The DuckDB that the settings describe, on this lake. `entry` is the program of its process. */
export const layer = (lake: DuckDbLake, entry: URL, lazily: boolean): Layer.Layer<QueryEngine, StartError, Settings> =>
  Layer.effect(
    QueryEngine,
    Effect.gen(function* () {
      const { get } = yield* Settings
      return yield* makeDuckDbQueryEngine({
        ...lake,
        entry,
        lazily,
        extensionFolder: get(DUCKDB_EXTENSION_DIRECTORY),
        memoryLimit: get(DUCKDB_MEMORY_LIMIT),
        deadlineMs: get(WAREHOUSE_TIMEOUT_SECONDS) * 1_000,
        exportDeadlineMs: get(EXPORT_TIMEOUT_SECONDS) * 1_000
      })
    })
  )
