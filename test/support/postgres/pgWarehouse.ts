import { Effect, Layer, type Redacted } from "effect"
import type { SqlError } from "effect/sql"
import { AppDatabase, DatabaseUrl } from "../../../layers/postgres/client/Database.ts"
import type { DatabaseClient } from "../../../layers/postgres/client/makeClient.ts"
import * as PgQueryEngine from "../../../layers/postgres/query/PgQueryEngine.ts"
import type { StartError } from "../../../src/domain/StartError.ts"
import type { QueryEngine } from "../../../src/ports/QueryEngine.ts"
import { EVENTS, SESSIONS } from "../../services/fixture.ts"
import * as MemorySettings from "../memory/MemorySettings.ts"

const quoted = (value: string | null) => (value === null ? "NULL" : `'${value}'`)

/** Inserts the fixture's sessions and events into a migrated database. */
export const fillPostgres = (sql: DatabaseClient): Effect.Effect<unknown, SqlError.SqlError> => {
  const sessions = SESSIONS.map(
    ({ country, session, site }) =>
      `(${quoted(session)}, ${quoted(site)}, ${quoted(country)}, '2026-03-28', '2026-03-28')`
  )
  const events = EVENTS.map(
    ({ event, name, path, session, site, time, type, visit }) =>
      `(${[event, site, session, visit].map(quoted).join(", ")}, ${type}, ${quoted(name)}, ${quoted(path)}, ${quoted(time)})`
  )
  return Effect.andThen(
    sql.unsafe(
      `INSERT INTO product_analytics_session (session_id, site_id, country, created_at, updated_at) VALUES ${sessions}`
    ),
    sql.unsafe(
      `INSERT INTO product_analytics_event (event_id, site_id, session_id, visit_id, event_type, event_name, url_path, created_at) VALUES ${events}`
    )
  )
}

/** The query engine of a database, with this deadline per query. */
export const pgWarehouse = (url: Redacted.Redacted<string>, seconds = 20): Layer.Layer<QueryEngine, StartError> =>
  PgQueryEngine.layer.pipe(
    Layer.provide(
      AppDatabase.layer.pipe(
        Layer.provide(Layer.succeed(DatabaseUrl, { url, embedded: true })),
        Layer.provideMerge(MemorySettings.layer({ WAREHOUSE_TIMEOUT_SECONDS: String(seconds) }))
      )
    ),
    Layer.fresh
  )
