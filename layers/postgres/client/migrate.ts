import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import control from "../../../migrations/0001_control.sql" with { type: "text" }
import events from "../../../migrations/0002_events.sql" with { type: "text" }
import views from "../../../migrations/0003_views.sql" with { type: "text" }
import lake from "../../../migrations/0004_lake.sql" with { type: "text" }
import rows from "../../../migrations/0005_rows.sql" with { type: "text" }
import channels from "../../../migrations/0006_channels.sql" with { type: "text" }
import spoolOwners from "../../../migrations/0007_spool_owners.sql" with { type: "text" }
import people from "../../../migrations/0008_people.sql" with { type: "text" }
import replica from "../../../migrations/0009_replica.sql" with { type: "text" }
import visits from "../../../migrations/0010_visits.sql" with { type: "text" }
import peopleChanges from "../../../migrations/0011_people_changes.sql" with { type: "text" }
import metadata from "../../../migrations/0012_metadata.sql" with { type: "text" }
import content from "../../../migrations/0013_content.sql" with { type: "text" }
import lastSeen from "../../../migrations/0014_last_seen.sql" with { type: "text" }
import hiddenProperties from "../../../migrations/0015_hidden_properties.sql" with { type: "text" }
import signOut from "../../../migrations/0016_sign_out.sql" with { type: "text" }
import lockedTo from "../../../migrations/0017_locked_to.sql" with { type: "text" }
import hiddenCollections from "../../../migrations/0018_hidden_collections.sql" with { type: "text" }
import type { StartError } from "../../../src/domain/StartError.ts"
import { MIGRATION_LOCK } from "./advisoryLocks.ts"
import { type AppliedMigration, type Migration, type ParsedMigration, parse, pendingMigrations } from "./migrations.ts"
import { sqlCode, sqlMessage, toStartError } from "./sqlErrors.ts"

/** Every file of `migrations/`, imported as a string so that a bundle contains it. */
export const MIGRATIONS: ReadonlyArray<Migration> = [
  { name: "0001_control", sql: control },
  { name: "0002_events", sql: events },
  { name: "0003_views", sql: views },
  { name: "0004_lake", sql: lake },
  { name: "0005_rows", sql: rows },
  { name: "0006_channels", sql: channels },
  { name: "0007_spool_owners", sql: spoolOwners },
  { name: "0008_people", sql: people },
  { name: "0009_replica", sql: replica },
  { name: "0010_visits", sql: visits },
  { name: "0011_people_changes", sql: peopleChanges },
  { name: "0012_metadata", sql: metadata },
  { name: "0013_content", sql: content },
  { name: "0014_last_seen", sql: lastSeen },
  { name: "0015_hidden_properties", sql: hiddenProperties },
  { name: "0016_sign_out", sql: signOut },
  { name: "0017_locked_to", sql: lockedTo },
  { name: "0018_hidden_collections", sql: hiddenCollections }
]

/** How long a process waits while another one migrates. */
const LOCK_TIMEOUT_SECONDS = 300

const UNDEFINED_TABLE = "42P01"

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS product_analytics_migration (
  name text PRIMARY KEY,
  checksum text NOT NULL,
  additive boolean NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)`
const READ = "SELECT name, checksum, additive FROM product_analytics_migration ORDER BY name"
const INSERT = "INSERT INTO product_analytics_migration (name, checksum, additive) VALUES ($1, $2, $3)"

const readApplied = (sql: SqlClient.SqlClient) => sql.unsafe<AppliedMigration>(READ)

const failedTo = (context: string) => (error: SqlError.SqlError | StartError) =>
  error._tag === "StartError" ? error : toStartError(error, `${context}: ${sqlMessage(error)}.`)

/** The caller's transaction holds the migration lock. */
const applyMigration = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  { additive, checksum, name, sql: file }: ParsedMigration
) {
  // The driver sends one statement at a time; EXECUTE takes a whole file, which the server parses.
  yield* sql.unsafe("SELECT set_config('footfall.migration', $1, true)", [file])
  yield* sql
    .unsafe("DO $$ BEGIN EXECUTE current_setting('footfall.migration'); END $$")
    .pipe(Effect.mapError(failedTo(`migrations/${name}.sql failed and was rolled back`)))
  yield* sql.unsafe(INSERT, [name, checksum, additive])
  yield* Effect.logInfo(`Migrated the database: ${name}.`)
})

/** Applies the first pending migration in a transaction; false if nothing is pending. */
const applyNext = (sql: SqlClient.SqlClient, known: ReadonlyArray<ParsedMigration>) =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql.unsafe(`SELECT set_config('lock_timeout', '${LOCK_TIMEOUT_SECONDS}s', true)`)
      yield* sql.unsafe(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`)
      yield* sql.unsafe(CREATE_TABLE)
      const [next] = yield* pendingMigrations(known, yield* readApplied(sql))
      if (next === undefined) return false
      yield* applyMigration(sql, next)
      return true
    })
  )

/**
 * Migrates the database to this version, each migration in its own transaction. Any number of processes may call it at the same
 * time; one migrates while the others wait. A migrated database takes one query.
 */
export const migrate = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  migrations: ReadonlyArray<Migration> = MIGRATIONS
): Effect.fn.Return<void, StartError> {
  const known = yield* Effect.forEach(migrations, parse)
  const pending = yield* readApplied(sql).pipe(
    Effect.flatMap((applied) => pendingMigrations(known, applied)),
    Effect.catchIf(
      (error) => error._tag === "SqlError" && sqlCode(error) === UNDEFINED_TABLE,
      () => Effect.succeed(known)
    ),
    Effect.mapError(failedTo("Can't read which migrations the database has"))
  )
  if (pending.length === 0) return
  yield* applyNext(sql, known).pipe(
    Effect.repeat({ while: (applied) => applied }),
    Effect.mapError(failedTo("Can't migrate the database"))
  )
})
