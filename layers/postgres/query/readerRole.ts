import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { sqlCode } from "../client/sqlErrors.ts"

/** A role that can only read the views. Queries run as it, so that none can read or change anything else. */
export const READER = "footfall_reader"

/** Whether queries can run as the reader. If not, `problem` says why, and `remedy` is the SQL that an administrator runs. */
export type ReaderState =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "NotReady"; readonly problem: string; readonly remedy: string }

interface Row {
  readonly exists: boolean
  readonly member: boolean
  readonly app: string
  readonly schema: string
  readonly usage: boolean
  /** Views that the reader cannot select from. */
  readonly views: ReadonlyArray<string>
}

// From Postgres 16 on, the creator of a role may grant it and yet not become it.
const LOOK = `SELECT reader.oid IS NOT NULL AS exists, quote_ident(current_user) AS app, quote_ident(current_schema()) AS schema,
  coalesce(pg_has_role(current_user, reader.oid,
    CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END), false) AS member,
  coalesce(has_schema_privilege(reader.oid, current_schema(), 'USAGE'), false) AS usage,
  ARRAY(
    SELECT quote_ident(relname)::text FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v' AND starts_with(relname, 'v_pa_')
      AND NOT coalesce(has_table_privilege(reader.oid, pg_class.oid, 'SELECT'), false)
    ORDER BY relname
  ) AS views
  FROM (SELECT) AS one LEFT JOIN pg_roles AS reader ON reader.rolname = '${READER}'`

const look = (sql: SqlClient.SqlClient): Effect.Effect<Row, SqlError.SqlError> =>
  Effect.map(sql.unsafe<Row>(LOOK), ([row]) => row!)

const missing = ({ exists, member, usage, views }: Row): boolean => !exists || !member || !usage || views.length > 0

/** What gives the reader everything that it lacks, one statement each. */
const repairs = ({ app, exists, member, schema, usage, views }: Row): ReadonlyArray<string> => [
  ...(exists ? [] : [`CREATE ROLE ${READER} NOLOGIN`]),
  ...(member ? [] : [`GRANT ${READER} TO ${app}`]),
  ...(usage ? [] : [`GRANT USAGE ON SCHEMA ${schema} TO ${READER}`]),
  ...(views.length === 0 ? [] : [`GRANT SELECT ON ${views.join(", ")} TO ${READER}`])
]

/** Not permitted, no such role, or another process did the same at this moment: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const TOLERATED = ["42501", "42704", "42710", "23505", "0LP01", "XX000"]

const describe = (row: Row): ReaderState => {
  if (!missing(row)) return { _tag: "Ready" }
  const problem = !row.exists
    ? `the role ${READER} does not exist, and ${row.app} may not create it`
    : !row.member
      ? `${row.app} may not become the role ${READER}`
      : `the role ${READER} lacks rights on the views, and ${row.app} may not grant them`
  return {
    _tag: "NotReady",
    problem,
    remedy: repairs(row)
      .map((statement) => `${statement};`)
      .join(" ")
  }
}

/** Whether the reader is ready, as it is. */
export const readerState = (sql: SqlClient.SqlClient): Effect.Effect<ReaderState, SqlError.SqlError> =>
  Effect.map(look(sql), describe)

/**
 * Gives the reader what it lacks, as far as the application's role may: the role or its rights may be missing, such as when an
 * administrator created it after the migration.
 */
export const prepareReader = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient
): Effect.fn.Return<ReaderState, SqlError.SqlError> {
  const found = yield* look(sql)
  if (!missing(found)) return { _tag: "Ready" }
  for (const statement of repairs(found)) {
    yield* Effect.catchIf(
      sql.unsafe(statement),
      (error) => TOLERATED.includes(sqlCode(error)),
      () => Effect.void
    )
  }
  return yield* readerState(sql)
})
