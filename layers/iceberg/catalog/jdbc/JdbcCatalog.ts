import { type Duration, Effect } from "effect"
import { IcebergError } from "../../IcebergError.ts"
import { withoutSlash } from "../../io/location.ts"
import type { ObjectStore } from "../../io/ObjectStore.ts"
import { onceSuccessful } from "../../onceSuccessful.ts"
import type { Catalog, TableName } from "../Catalog.ts"
import { makeFileCatalog } from "../fileCatalog.ts"
import type { Pointer } from "../swapPointer.ts"
import { showName } from "../tableName.ts"
import type { JdbcClient } from "./JdbcClient.ts"
import { readFailure, UNIQUE_VIOLATION, writeFailure } from "./jdbcFailure.ts"
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

/** Every statement touches one row by its key; one that takes longer is waiting for a lock or a dead server. */
const DEADLINE: Duration.Input = "10 seconds"
/** Processes that start together create the tables together; one succeeds for each table, the others check again. */
const CREATE_ATTEMPTS = 5
/**
 * `CREATE … IF NOT EXISTS` fails if two run at once, on whichever system index they collide in: unique_violation,
 * duplicate_table, duplicate_object, or internal_error for a concurrently updated tuple.
 */
const CREATED_CONCURRENTLY: ReadonlySet<string> = new Set(["23505", "42P07", "42710", "XX000"])

export interface JdbcCatalogOptions {
  readonly client: JdbcClient
  readonly store: ObjectStore
  /** The catalog's name in every engine that shares its tables: it is part of their key. */
  readonly name: string
  /** Location of the folder under which tables are created. */
  readonly warehouse: string
}

interface Found {
  readonly found: boolean
}
interface Row {
  readonly metadata_location: string | null
}

const withDeadline =
  (reason: "Unavailable" | "Unknown") =>
  <A, E>(statement: Effect.Effect<A, E>): Effect.Effect<A, E | IcebergError> =>
    Effect.timeoutOrElse(statement, {
      duration: DEADLINE,
      orElse: () =>
        Effect.fail(new IcebergError({ reason, message: `The catalog's database did not answer within ${DEADLINE}.` }))
    })

/** Creates the catalog's tables if they are missing. */
const createTables = ({ query }: JdbcClient): Effect.Effect<void, IcebergError> =>
  Effect.gen(function* () {
    if ((yield* query<Found>(HAS_TABLES))[0]?.found === true) return
    for (const statement of CREATE_TABLES) yield* query(statement)
  }).pipe(
    Effect.retry({ times: CREATE_ATTEMPTS, while: ({ code }) => CREATED_CONCURRENTLY.has(code) }),
    Effect.mapError(readFailure),
    withDeadline("Unavailable")
  )

/** Tables in `iceberg_tables` of a Postgres database, row for row as Iceberg's own JdbcCatalog stores them. */
export const makeJdbcCatalog = Effect.fnUntraced(function* (options: JdbcCatalogOptions): Effect.fn.Return<Catalog> {
  const { client, name: catalog, store } = options
  const warehouse = withoutSlash(options.warehouse)

  const read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown> = []) =>
    client.query<A>(statement, parameters).pipe(Effect.mapError(readFailure), withDeadline("Unavailable"))

  /** Whether exactly one row was written. */
  const write = (statement: string, parameters: ReadonlyArray<unknown>): Effect.Effect<boolean, IcebergError> =>
    client.query<Row>(statement, parameters).pipe(
      Effect.map((rows) => rows.length === 1),
      Effect.catch((error) =>
        error.code === UNIQUE_VIOLATION ? Effect.succeed(false) : Effect.fail(writeFailure(error))
      ),
      withDeadline("Unknown")
    )

  const statements: Effect.Effect<Statements, IcebergError> = yield* onceSuccessful(
    Effect.andThen(
      createTables(client),
      Effect.map(read<Found>(HAS_TYPE), ([row]) => (row?.found === true ? V1 : V0))
    )
  )

  const keyOf = ({ name, namespace }: TableName) => [catalog, namespace.join("."), name]

  const pointer = (table: TableName): Pointer => ({
    read: Effect.gen(function* () {
      const { load } = yield* statements
      const [row] = yield* read<Row>(load, keyOf(table))
      if (row === undefined) {
        return yield* IcebergError.notFound(`The catalog ${catalog} has no table ${showName(table)}.`)
      }
      if (row.metadata_location === null) {
        return yield* IcebergError.invalid(
          `The catalog ${catalog} has no metadata location for the table ${showName(table)}.`
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
