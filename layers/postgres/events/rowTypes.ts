import { PgTypes } from "@effect/sql-pg"
import { Effect, Result } from "effect"
import type { SqlError } from "effect/sql"
import type { DatabaseClient } from "../client/makeClient.ts"
import { sqlCode } from "../client/sqlErrors.ts"
import { ROW_CODECS } from "./encode.ts"

type RowType = keyof typeof ROW_CODECS
type RowOf<T extends RowType> = (typeof ROW_CODECS)[T] extends PgTypes.Codec<infer A> ? A : never

/** Makes a statement's parameter of an array of rows. */
export type RowParameter = <T extends RowType>(type: T, rows: ReadonlyArray<RowOf<T>>) => PgTypes.Parameter

/** SQLSTATEs for an OID that does not exist or belongs to another type. */
const WRONG_TYPE_CODES = ["42704", "42804", "XX000"]

const FIND_TYPES = `SELECT name, oid::int8::float8 AS "rowOid", typarray::int8::float8 AS "arrayOid"
  FROM unnest($1::text[]) AS name JOIN pg_type ON oid = name::regtype`

interface FoundType {
  readonly name: RowType
  readonly rowOid: number
  readonly arrayOid: number
}

/**
 * The OIDs that the database gave to the row types. They are looked up once, and again when the server does not know them: then it is
 * another database, such as one restored from a dump.
 */
export const makeRowTypes = (sql: DatabaseClient) => {
  const registry = sql.types
  let cached: RowParameter | null = null
  const find: Effect.Effect<RowParameter, SqlError.SqlError> = Effect.map(
    sql.unsafe<FoundType>(FIND_TYPES, [Result.getOrThrow(PgTypes.array(Object.keys(ROW_CODECS), PgTypes.OID.text))]),
    (found) => {
      const oids = new Map(found.map(({ name, rowOid }) => [name, rowOid]))
      for (const { arrayOid, name, rowOid } of found) {
        registry.register(rowOid, ROW_CODECS[name] as PgTypes.Codec<unknown>, { arrayOid })
      }
      cached = (type, rows) => Result.getOrThrow(PgTypes.array(rows, oids.get(type)!, registry))
      return cached
    }
  )
  return {
    /** Runs a statement that has rows as parameters. */
    use: <A>(
      run: (parameter: RowParameter) => Effect.Effect<A, SqlError.SqlError>
    ): Effect.Effect<A, SqlError.SqlError> =>
      cached === null
        ? Effect.flatMap(find, run)
        : Effect.catchIf(
            run(cached),
            (error) => WRONG_TYPE_CODES.includes(sqlCode(error)),
            () => Effect.flatMap(find, run)
          )
  }
}
