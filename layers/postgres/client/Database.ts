import type { PgClient } from "@effect/sql-pg"
import { Context, type Redacted } from "effect"

/** Where the app database is: `DATABASE_URL`, or the embedded Postgres of `DATA_DIR`. */
export class DatabaseUrl extends Context.Service<
  DatabaseUrl,
  {
    readonly url: Redacted.Redacted<string>
    readonly embedded: boolean
  }
>()("footfall/postgres/DatabaseUrl") {}

/** The pool for everything but the event writer: settings, sites, keys, listening, jobs. `DATABASE_POOL_SIZE` connections. */
export class AppDatabase extends Context.Service<AppDatabase, PgClient.PgClient>()("footfall/postgres/AppDatabase") {}

/** The event writer's own connections, so that nothing else can take them: `STORAGE_IN_FLIGHT` and one for pings. */
export class WriterDatabase extends Context.Service<WriterDatabase, PgClient.PgClient>()(
  "footfall/postgres/WriterDatabase"
) {}
