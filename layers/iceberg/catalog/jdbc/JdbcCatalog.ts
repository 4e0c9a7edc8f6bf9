import { type Duration, Effect } from "effect"
import type { SqlError } from "effect/sql"
import { within } from "../../../postgres/client/deadline.ts"
import { sqlCode } from "../../../postgres/client/sqlErrors.ts"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import { withoutSlash } from "../../io/location.ts"
import type { ObjectStore } from "../../io/ObjectStore.ts"
import { onceSuccessful } from "../../onceSuccessful.ts"
import type { Catalog, TableName } from "../Catalog.ts"
import { makeFileCatalog } from "../fileCatalog.ts"
import type { Pointer } from "../swapPointer.ts"
import { showName } from "../tableName.ts"
import { sqlFailure, UNIQUE_VIOLATION, writeFailure } from "./sqlFailure.ts"
import {
  ADD_NAMESPACE,
  CREATE_TABLES,
  HAS_TABLES,
  HAS_TYPE,
  MAX_LOCATION,
  type Statements,
  V0,
  V1
} from "./statements.ts"

/** Longest wait for a statement, all of which touch one row by its key. What takes longer waits for a lock or a dead server. */
const DEADLINE: Duration.Input = "10 seconds"
/** Processes that start together make the tables together; one wins each, the others look again. */
const CREATE_ATTEMPTS = 5
/**
 * `CREATE … IF NOT EXISTS` still fails when two run at once, by whichever unique index of the system they meet in:
 * unique_violation, duplicate_table, duplicate_object, and internal_error of a tuple that is updated concurrently.
 */
const MADE_MEANWHILE: ReadonlySet<string> = new Set(["23505", "42P07", "42710", "XX000"])

/** What the catalog needs of a database: `PgClient`, or another Postgres' client. Every statement commits by itself. */
export interface CatalogSql {
  readonly unsafe: <Row extends object>(
    sql: string,
    params?: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>
}

export interface JdbcCatalogOptions {
  readonly sql: CatalogSql
  readonly store: ObjectStore
  /** The catalog's name in every engine that shares its tables: it is a part of their key. */
  readonly name: string
  /** The folder, by its location, under which tables are made. */
  readonly warehouse: string
}

interface Found {
  readonly found: boolean
}
interface Row {
  readonly metadata_location: string | null
}

/** Tables in `iceberg_tables` of a Postgres, row for row as Iceberg's own JdbcCatalog keeps them. */
export const makeJdbcCatalog = Effect.fnUntraced(function* (options: JdbcCatalogOptions): Effect.fn.Return<Catalog> {
  const { name: catalog, sql, store } = options
  const warehouse = withoutSlash(options.warehouse)

  const deadline =
    (reason: "Unavailable" | "Unknown") =>
    <A>(statement: Effect.Effect<A, IcebergError>): Effect.Effect<A, IcebergError> =>
      within(
        statement,
        DEADLINE,
        Effect.fail(icebergError(reason, `The catalog's database did not answer within ${DEADLINE}.`))
      )
  const read = <A extends object>(text: string, params: ReadonlyArray<unknown> = []) =>
    Effect.mapError(sql.unsafe<A>(text, params), sqlFailure).pipe(deadline("Unavailable"))
  const write = (text: string, params: ReadonlyArray<unknown>): Effect.Effect<boolean, IcebergError> =>
    sql.unsafe<Row>(text, params).pipe(
      Effect.map((rows) => rows.length === 1),
      Effect.catchIf(
        (error) => sqlCode(error) === UNIQUE_VIOLATION,
        () => Effect.succeed(false)
      ),
      Effect.catchTag("SqlError", (error) => Effect.fail(writeFailure(error))),
      deadline("Unknown")
    )

  const makeTables = Effect.gen(function* () {
    if ((yield* sql.unsafe<Found>(HAS_TABLES))[0]?.found === true) return
    for (const statement of CREATE_TABLES) yield* sql.unsafe(statement)
  }).pipe(
    Effect.retry({ times: CREATE_ATTEMPTS, while: (error) => MADE_MEANWHILE.has(sqlCode(error)) }),
    Effect.mapError(sqlFailure),
    deadline("Unavailable")
  )

  const statements: Effect.Effect<Statements, IcebergError> = yield* onceSuccessful(
    Effect.flatMap(makeTables, () => Effect.map(read<Found>(HAS_TYPE), ([row]) => (row?.found === true ? V1 : V0)))
  )

  const keyOf = ({ name, namespace }: TableName) => [catalog, namespace.join("."), name]

  const pointer = (table: TableName): Pointer => ({
    read: Effect.gen(function* () {
      const { load } = yield* statements
      const [row] = yield* read<Row>(load, keyOf(table))
      if (row === undefined) {
        return yield* icebergError("NotFound", `The catalog ${catalog} has no table ${showName(table)}.`)
      }
      if (row.metadata_location === null) {
        return yield* icebergError(
          "Invalid",
          `The catalog ${catalog} does not say where ${showName(table)} is described.`
        )
      }
      return row.metadata_location
    }),
    swap: (base, ours) =>
      Effect.flatMap(statements, ({ commit, create }) =>
        base === null ? write(create, [...keyOf(table), ours]) : write(commit, [...keyOf(table), ours, base])
      )
  })

  return makeFileCatalog({
    store,
    maxLocation: MAX_LOCATION,
    check: () => Effect.void,
    pointer,
    prepare: ({ name, namespace }) =>
      Effect.gen(function* () {
        yield* statements
        yield* read(ADD_NAMESPACE, [catalog, namespace.join(".")])
        return [warehouse, ...namespace, name].join("/")
      })
  })
})
