import { Cause, type Context, Effect, Layer, Metric, type Scope } from "effect"
import type { SqlError } from "effect/sql"
import { deadline } from "../../../src/lib/deadline.ts"
import { PropertyRecorder } from "../../../src/ports/PropertyRecorder.ts"
import { type PropertyChange, SeenProperties } from "../../inprocess/SeenProperties.ts"
import { AppDatabase } from "../client/Database.ts"
import type { DatabaseClient } from "../client/makeClient.ts"
import { CONTROL_DEADLINE, statementFailure } from "../client/runStatement.ts"
import { addProperties, countProperties, readGroup } from "./propertyRows.ts"

/** A new property is registered this soon. */
const NEWS_INTERVAL_MS = 1_000
/** Counts are added once in this time. */
const COUNTS_INTERVAL_MS = 60_000
/** After a failure, nothing is written for this long. */
const RETRY_MS = 5_000
/** How many properties one statement writes: a few milliseconds in the server. */
const CHUNK = 500
/** How long a stopping process may take to write its last counts. */
const LAST_WRITE = "2 seconds"

export const propertyOverflow = Metric.counter("pa_property_overflow", {
  description: "Values of properties that were not registered because their site has too many; the events are stored.",
  incremental: true
})

/** Writes what was seen to the registry. */
class Writer {
  readonly #sql: DatabaseClient
  readonly #seen: SeenProperties
  readonly #context: Context.Context<never>
  readonly #warned = new Set<string>()
  #isFailing = false
  #defect: unknown = null

  constructor(sql: DatabaseClient, seen: SeenProperties, context: Context.Context<never>) {
    this.#sql = sql
    this.#seen = seen
    this.#context = context
  }

  /** Notes a stored record. Whatever goes wrong, the record is stored, and its sender must learn that. */
  note(note: () => void): void {
    try {
      note()
    } catch (cause) {
      this.#defect ??= cause
    }
  }

  /** Writes what is new; with `counts`, everything. Returns false if that failed: it is then written with the next call. */
  write(counts: boolean): Effect.Effect<boolean> {
    return this.#write(counts).pipe(
      deadline({ duration: CONTROL_DEADLINE, orElse: () => Effect.fail(new Cause.TimeoutError()) }),
      Effect.matchEffect({
        onFailure: (error) => this.#fail(error),
        onSuccess: () =>
          Effect.sync(() => {
            this.#isFailing = false
            return true
          })
      }),
      Effect.tap(() => this.#reportOverflow()),
      Effect.tap(() => this.#reportDefect())
    )
  }

  readonly #write = Effect.fnUntraced(function* (
    this: Writer,
    counts: boolean
  ): Effect.fn.Return<void, SqlError.SqlError> {
    const seen = this.#seen
    const changes = seen.changes(counts)
    const news = changes.filter(({ isNews }) => isNews)
    const add = Effect.fnUntraced(function* (sql: DatabaseClient, chunk: ReadonlyArray<PropertyChange>) {
      const { others, stored } = yield* addProperties(sql, chunk)
      seen.confirm(stored)
      seen.refused(others)
    })
    for (const chunk of chunksOf(news)) yield* add(this.#sql, chunk)
    for (const chunk of chunksOf(changes.filter(({ isNews }) => !isNews))) {
      const { others, stored } = yield* countProperties(this.#sql, chunk)
      seen.confirm(stored)
      // Someone removed them.
      if (others.length > 0) yield* add(this.#sql, others)
    }
    if (counts || news.length > 0) {
      for (const { group, siteId } of seen.full())
        seen.reload(siteId, group, yield* readGroup(this.#sql, siteId, group))
    }
    if (counts) seen.trim()
  })

  #fail(error: SqlError.SqlError | Cause.TimeoutError): Effect.Effect<boolean> {
    this.#seen.failed()
    if (this.#isFailing) return Effect.succeed(false)
    this.#isFailing = true
    return Effect.as(
      Effect.logWarning(
        `The registry of properties was not updated; will retry: ${statementFailure(error)}. Events are stored as usual.`
      ),
      false
    )
  }

  #reportDefect(): Effect.Effect<void> {
    const defect = this.#defect
    if (defect === null) return Effect.void
    this.#defect = null
    return Effect.logError("Properties of stored events were not noted in the registry.", defect)
  }

  #reportOverflow(): Effect.Effect<void> {
    return Effect.forEach(
      this.#seen.takeOverflow(),
      ([site, values]) => {
        Metric.withAttributes(propertyOverflow, { site }).updateUnsafe(values, this.#context)
        if (this.#warned.has(site)) return Effect.void
        this.#warned.add(site)
        return Effect.logWarning(
          `The site ${site} has too many different properties to register them all; the events are stored with all of theirs. \`bun run footfall properties rebuild\` keeps the most frequent ones.`
        )
      },
      { discard: true }
    )
  }
}

const chunksOf = (changes: ReadonlyArray<PropertyChange>): ReadonlyArray<ReadonlyArray<PropertyChange>> =>
  Array.from({ length: Math.ceil(changes.length / CHUNK) }, (_, index) =>
    changes.slice(index * CHUNK, (index + 1) * CHUNK)
  )

/** Writes in the background until the scope closes, and then a last time. */
const runWriter = (writer: Writer, seen: SeenProperties): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    let sinceCounts = 0
    const turn = Effect.suspend(() => {
      sinceCounts += NEWS_INTERVAL_MS
      const counts = sinceCounts >= COUNTS_INTERVAL_MS
      if (!counts && !seen.hasNews) return Effect.void
      if (counts) sinceCounts = 0
      return Effect.flatMap(writer.write(counts), (isWritten) => (isWritten ? Effect.void : Effect.sleep(RETRY_MS)))
    })
    yield* Effect.addFinalizer(() => Effect.asVoid(Effect.timeoutOption(writer.write(true), LAST_WRITE)))
    yield* Effect.sleep(NEWS_INTERVAL_MS).pipe(Effect.andThen(turn), Effect.forever, Effect.forkScoped)
  })

/** Keeps the registry in the app database up to date with what this process stores. */
export const layer: Layer.Layer<PropertyRecorder, never, AppDatabase> = Layer.effect(
  PropertyRecorder,
  Effect.gen(function* () {
    const seen = new SeenProperties()
    const writer = new Writer(yield* AppDatabase, seen, yield* Effect.context<never>())
    yield* runWriter(writer, seen)
    return PropertyRecorder.of({
      event: (record) => writer.note(() => seen.event(record)),
      identity: (record) => writer.note(() => seen.identity(record))
    })
  })
)
