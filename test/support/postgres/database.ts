import { Effect, Exit, Redacted, References, Scope } from "effect"
import { migrate } from "../../../layers/postgres/client/migrate.ts"
import { SECRET, SITE } from "../collect/collect.ts"
import { openClient } from "./postgres.ts"

/** A test's own connections to a database. */
export interface Database extends AsyncDisposable {
  readonly query: <Row extends object>(sql: string, values?: ReadonlyArray<unknown>) => Promise<ReadonlyArray<Row>>
}

/** With one connection, statements share a session, so a transaction may span several. */
export const connect = async (url: string, maxConnections = 2): Promise<Database> => {
  const scope = Scope.makeUnsafe()
  const client = await Effect.runPromise(openClient(Redacted.make(url), maxConnections).pipe(Scope.provide(scope)))
  return {
    query: <Row extends object>(sql: string, values: ReadonlyArray<unknown> = []) =>
      Effect.runPromise(client.unsafe<Row>(sql, values)),
    [Symbol.asyncDispose]: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** Migrates a database and registers the site `SITE` in it. Returns the environment that a process needs to use it. */
export const prepareInstance = async (
  url: string
): Promise<{ readonly DATABASE_URL: string; readonly APP_SECRET: string }> => {
  await Effect.runPromise(
    Effect.gen(function* () {
      const sql = yield* openClient(Redacted.make(url), 1)
      yield* migrate(sql)
      yield* sql.unsafe(
        "INSERT INTO product_analytics_site (id, name, timezone, week_start, currency) VALUES ($1::uuid, 'Test', 'UTC', 'monday', 'USD')",
        [SITE]
      )
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "Warn"))
  )
  return { DATABASE_URL: url, APP_SECRET: SECRET }
}
