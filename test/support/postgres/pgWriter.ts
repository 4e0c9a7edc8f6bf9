import type { PgTypes } from "@effect/sql-pg"
import { Effect, Fiber, type Redacted, type Scope } from "effect"
import { SqlError } from "effect/sql"
import type { DatabaseClient } from "../../../layers/postgres/client/makeClient.ts"
import { INSERT_EVENTS, UPSERT_IDENTITIES } from "../../../layers/postgres/events/batch.ts"
import type { EventRecord, Property } from "../../../src/domain/Event.ts"
import type { Storage } from "../../../src/ports/Storage.ts"
import { events, NOW, type Outcome, saveAll, text } from "../collect/records.ts"
import { run } from "./controlPlane.ts"
import { emptiedDatabase, type Intercept } from "./pgStorage.ts"
import { freshDatabase, openClient } from "./postgres.ts"

interface TestDatabase {
  readonly url: Redacted.Redacted<string>
  /** A client of its own. */
  readonly sql: DatabaseClient
}

type Body = (database: TestDatabase) => Effect.Effect<void, unknown, Scope.Scope>

/** Runs a test on an empty database. */
export const withDatabase = (body: Body, database = emptiedDatabase) =>
  run(
    Effect.gen(function* () {
      const url = yield* database
      yield* body({ url, sql: yield* openClient(url) })
    })
  )

/** Runs a test that changes more than rows, on a database of its own. */
export const withOwnDatabase = (body: Body) => withDatabase(body, Effect.promise(freshDatabase))

/** Watches the writer's statements: the rows of each batch, and how many batches were in flight at most. */
export const watchBatches = (watchedStatement = INSERT_EVENTS) => {
  const batches: Array<number> = []
  const sessions: Array<number> = []
  let inFlight = 0
  const watched = { batches, sessions, mostInFlight: 0, mostBytes: 0 }
  const rows = (parameter: unknown) => (parameter as PgTypes.Parameter).value as ReadonlyArray<EventRecord>
  const bytes = (event: EventRecord) =>
    event.properties.reduce((sum, { key, string }) => sum + key.length + string.length, 0)
  const intercept: Intercept = (statement, parameters, result) =>
    statement === watchedStatement
      ? Effect.suspend(() => {
          batches.push(rows(parameters[1]).length)
          sessions.push(rows(parameters[0]).length)
          watched.mostInFlight = Math.max(watched.mostInFlight, ++inFlight)
          if (watchedStatement === INSERT_EVENTS) {
            const batchBytes = rows(parameters[1]).reduce((sum, event) => sum + bytes(event), 0)
            watched.mostBytes = Math.max(watched.mostBytes, batchBytes)
          }
          return Effect.ensuring(
            result,
            Effect.sync(() => {
              inFlight--
            })
          )
        })
      : result
  return { watched, intercept }
}

/** Replaces the outcome of the first writes. */
export const failFirst = (count: number, outcome: (result: ReturnType<Intercept>) => ReturnType<Intercept>) => {
  const seen = { writes: 0 }
  const intercept: Intercept = (statement, _, result) =>
    statement === INSERT_EVENTS || statement === UPSERT_IDENTITIES
      ? Effect.suspend(() => (++seen.writes <= count ? outcome(result) : result))
      : result
  return { seen, intercept }
}

export const serverError = (code: string) =>
  new SqlError.SqlError({
    reason: new SqlError.UnknownError({ cause: Object.assign(new Error(`server says ${code}`), { code }) })
  })
export const connectionLost = new SqlError.SqlError({
  reason: new SqlError.ConnectionError({ cause: new Error("gone") })
})

export const pageviews = (count: number) => events(count, (index) => ({ createdAt: NOW - index }))

/** Properties of 506 characters each. */
export const bulk = (count: number): ReadonlyArray<Property> =>
  Array.from({ length: count }, (_, index) => text(String(index).padStart(6, "0"), "x".repeat(500)))

/** Starts saving without waiting for the outcomes. */
export const startSaving = (storage: Storage["Service"], records: ReadonlyArray<EventRecord>) =>
  Effect.forkDetach(saveAll(storage, records), { startImmediately: true })

export const onlyStored = new Set<Outcome>(["stored"])
export const outcomesOf = (fiber: Fiber.Fiber<ReadonlyArray<Outcome>>) =>
  Effect.map(Fiber.join(fiber), (outcomes) => new Set(outcomes))

/** The backends of the storage under test; the tests' own clients have another application name. */
const WRITERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'footfall'"
export const WAITING_PIDS = `${WRITERS} AND wait_event_type = 'Lock'`
export const WAITING_WRITERS = `SELECT count(*)::int AS count FROM (${WAITING_PIDS}) AS waiting`
export const TERMINATE_WRITERS = `SELECT pg_terminate_backend(pid) FROM (${WRITERS}) AS writers`
