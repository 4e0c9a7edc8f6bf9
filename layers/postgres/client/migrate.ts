import type { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import control from "../../../migrations/0001_control.sql" with { type: "text" }
import events from "../../../migrations/0002_events.sql" with { type: "text" }
import views from "../../../migrations/0003_views.sql" with { type: "text" }
import lake from "../../../migrations/0004_lake.sql" with { type: "text" }
import rows from "../../../migrations/0005_rows.sql" with { type: "text" }
import { StartError } from "../../../src/domain/StartError.ts"
import { sqlCode, sqlMessage } from "./sqlErrors.ts"

/** A file of `migrations/`. Applied ones never change; what is wrong in one is put right by the next. */
export interface Migration {
  /** The file's name without `.sql`; the order of names is the order of application. */
  readonly name: string
  readonly sql: string
}

/** Every file of `migrations/`, imported as text so that a bundle holds them. */
export const MIGRATIONS: ReadonlyArray<Migration> = [
  { name: "0001_control", sql: control },
  { name: "0002_events", sql: events },
  { name: "0003_views", sql: views },
  { name: "0004_lake", sql: lake },
  { name: "0005_rows", sql: rows }
]

/** All processes of an instance contend for this one; any fixed number will do. */
const MIGRATION_LOCK = 4_067_180_227
/** How long a process may wait while another one migrates. */
const LOCK_TIMEOUT_SECONDS = 300

interface Known extends Migration {
  readonly checksum: string
  /** An older Footfall can go on working with what it adds. Every file states it in its first line. */
  readonly additive: boolean
}

interface Applied {
  readonly name: string
  readonly checksum: string
  readonly additive: boolean
}

const checksumOf = (sql: string): string => new Bun.CryptoHasher("sha256").update(sql).digest("hex")

const know = (migration: Migration): Effect.Effect<Known, StartError> => {
  const header = /^-- additive: (yes|no)\n/.exec(migration.sql)
  return header === null
    ? Effect.fail(
        new StartError({
          message: `migrations/${migration.name}.sql must begin with "-- additive: yes" or "-- additive: no".`
        })
      )
    : Effect.succeed({ ...migration, checksum: checksumOf(migration.sql), additive: header[1] === "yes" })
}

/** What is left to apply, or why this Footfall and this database don't go together. */
const compare = Effect.fnUntraced(function* (known: ReadonlyArray<Known>, applied: ReadonlyArray<Applied>) {
  const newest = known.at(-1)?.name ?? ""
  const newer: Array<Applied> = []
  for (const row of applied) {
    const ours = known.find((migration) => migration.name === row.name)
    if (ours === undefined && row.name > newest) newer.push(row)
    else if (ours === undefined) {
      return yield* new StartError({
        message: `The database was migrated with ${row.name}, which this Footfall does not have.`
      })
    } else if (ours.checksum !== row.checksum) {
      return yield* new StartError({
        message: `migrations/${row.name}.sql is not the file that the database was migrated with: put the original back.`
      })
    }
  }
  const breaking = newer.find((row) => !row.additive)
  if (breaking !== undefined) {
    return yield* new StartError({
      message: `A newer Footfall changed the database (${breaking.name}) in a way that this version can't work with. Update it.`
    })
  }
  if (newer.length > 0) {
    yield* Effect.logWarning(
      `The database is of a newer Footfall (${newer.map((row) => row.name).join(", ")}). This version goes on; update it when you can.`
    )
  }
  const done = new Set(applied.map((row) => row.name))
  const pending = known.filter((migration) => !done.has(migration.name))
  const first = pending[0]?.name
  const late = first === undefined ? undefined : applied.find((row) => row.name > first)
  if (late !== undefined) {
    return yield* new StartError({
      message: `${first} is not in the database, but the later ${late.name} is: it was put in between.`
    })
  }
  return pending
})

const READ = "SELECT name, checksum, additive FROM product_analytics_migration ORDER BY name"
const UNDEFINED_TABLE = "42P01"

/**
 * Brings the database to this version, each migration in a transaction of its own. Any number of processes may do so at the
 * same time; one works, the others wait for it. When there is nothing to do it costs one query.
 */
export const migrate = Effect.fnUntraced(function* (
  sql: PgClient.PgClient,
  migrations: ReadonlyArray<Migration> = MIGRATIONS
): Effect.fn.Return<void, StartError> {
  const known = yield* Effect.forEach(migrations, know)
  const read = sql.unsafe<Applied>(READ)

  const failed = (what: string) => (error: SqlError.SqlError | StartError) =>
    error._tag === "StartError" ? error : new StartError({ message: `${what}: ${sqlMessage(error)}.` })

  /** The first pending migration, under the lock that all processes take; false when there was none left. */
  const step = sql.withTransaction(
    Effect.gen(function* () {
      yield* sql.unsafe(`SELECT set_config('lock_timeout', '${LOCK_TIMEOUT_SECONDS}s', true)`)
      yield* sql.unsafe(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`)
      yield* sql.unsafe(`CREATE TABLE IF NOT EXISTS product_analytics_migration (
        name text PRIMARY KEY,
        checksum text NOT NULL,
        additive boolean NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )`)
      const [next] = yield* compare(known, yield* read)
      if (next === undefined) return false
      // The driver sends single statements; EXECUTE takes a whole file, parsed by the server itself.
      yield* sql.unsafe("SELECT set_config('footfall.migration', $1, true)", [next.sql])
      yield* sql
        .unsafe("DO $$ BEGIN EXECUTE current_setting('footfall.migration'); END $$")
        .pipe(Effect.mapError(failed(`migrations/${next.name}.sql failed and was undone`)))
      yield* sql.unsafe("INSERT INTO product_analytics_migration (name, checksum, additive) VALUES ($1, $2, $3)", [
        next.name,
        next.checksum,
        next.additive
      ])
      yield* Effect.logInfo(`Migrated the database: ${next.name}.`)
      return true
    })
  )

  const pending = yield* read.pipe(
    Effect.flatMap((applied) => compare(known, applied)),
    Effect.catchIf(
      (error) => error._tag === "SqlError" && sqlCode(error) === UNDEFINED_TABLE,
      () => Effect.succeed(known)
    ),
    Effect.mapError(failed("The state of the database can't be read"))
  )
  if (pending.length === 0) return
  yield* step.pipe(Effect.repeat({ while: (more) => more }), Effect.mapError(failed("The database can't be migrated")))
})
