import { Effect } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"

/** A file of `migrations/`. A released file never changes; the next one corrects it. */
export interface Migration {
  /** The file's name without `.sql`. Migrations are applied in the order of their names. */
  readonly name: string
  readonly sql: string
}

export interface AppliedMigration {
  readonly name: string
  /** SHA-256 of the file, in hexadecimal. */
  readonly checksum: string
  /** Whether an older Footfall keeps working after it. The first line of each file states it. */
  readonly additive: boolean
}

export interface ParsedMigration extends Migration, AppliedMigration {}

const ADDITIVE = /^-- additive: (yes|no)\n/

/** Reads the first line of a migration. */
export const parse = (migration: Migration): Effect.Effect<ParsedMigration, StartError> => {
  const firstLine = ADDITIVE.exec(migration.sql)
  return firstLine === null
    ? Effect.fail(
        new StartError({
          message: `migrations/${migration.name}.sql must begin with "-- additive: yes" or "-- additive: no".`
        })
      )
    : Effect.succeed({
        ...migration,
        checksum: new Bun.CryptoHasher("sha256").update(migration.sql).digest("hex"),
        additive: firstLine[1] === "yes"
      })
}

/** Why the applied migrations and the ones of this version contradict each other; null if they do not. */
const conflict = (
  known: ReadonlyArray<ParsedMigration>,
  applied: ReadonlyArray<AppliedMigration>,
  newer: ReadonlyArray<AppliedMigration>
): string | null => {
  for (const row of applied) {
    if (newer.includes(row)) continue
    const migration = known.find(({ name }) => name === row.name)
    if (migration === undefined) return `The database has the migration ${row.name}, which this Footfall does not have.`
    if (migration.checksum !== row.checksum) {
      return `migrations/${row.name}.sql has changed since it was applied to the database: restore the original.`
    }
  }
  const breaking = newer.find(({ additive }) => !additive)
  if (breaking !== undefined) {
    return `A newer Footfall migrated the database (${breaking.name}), and this version cannot work with it. Upgrade this installation.`
  }
  return null
}

/** The migrations to apply, in order. Fails if this Footfall cannot work with the database. */
export const pendingMigrations = Effect.fnUntraced(function* (
  known: ReadonlyArray<ParsedMigration>,
  applied: ReadonlyArray<AppliedMigration>
): Effect.fn.Return<ReadonlyArray<ParsedMigration>, StartError> {
  const latest = known.at(-1)?.name ?? ""
  const newer = applied.filter(({ name }) => name > latest)
  const problem = conflict(known, applied, newer)
  if (problem !== null) return yield* new StartError({ message: problem })
  if (newer.length > 0) {
    const names = newer.map(({ name }) => name).join(", ")
    yield* Effect.logWarning(
      `A newer Footfall migrated the database (${names}). This version still works with it; upgrade when you can.`
    )
  }
  const pending = known.filter(({ name }) => !applied.some((row) => row.name === name))
  const first = pending[0]?.name
  const later = first === undefined ? undefined : applied.find(({ name }) => name > first)
  if (later !== undefined) {
    return yield* new StartError({ message: `${first} was added before ${later.name}, which is already applied.` })
  }
  return pending
})
