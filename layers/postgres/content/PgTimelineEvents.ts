import { Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { TimelineEvent, TimelineIcon } from "../../../src/domain/content/TimelineEvent.ts"
import { SiteId } from "../../../src/domain/ids.ts"
import { isStorable } from "../../../src/lib/storable.ts"
import { TimelineEvents, TimelineEventsError, type TimelineEventValues } from "../../../src/ports/TimelineEvents.ts"
import { uuidArray } from "../client/arrays.ts"
import { AppDatabase } from "../client/Database.ts"
import { runChange } from "../client/runStatement.ts"
import { type AuthorColumns, authorOf } from "./itemRows.ts"
import { contentTransaction } from "./transaction.ts"

/** Notes of an instance. A chart with thousands of them is of no use. */
const MAX_EVENTS = 10_000

interface Row extends AuthorColumns {
  readonly id: string
  readonly site_id: string | null
  readonly at_ms: number
  readonly time_matters: boolean
  readonly name: string
  readonly description: string | null
  readonly icon: TimelineIcon
  readonly archived: boolean
  readonly revision: number
  readonly created_ms: number
  readonly updated_ms: number
}

const COLUMNS = `id::text AS id, site_id::text AS site_id, time_matters, name, description, icon, archived, revision,
  author_kind, author_id, author_name,
  floor(extract(epoch FROM at) * 1000)::float8 AS at_ms,
  floor(extract(epoch FROM created_at) * 1000)::float8 AS created_ms,
  floor(extract(epoch FROM updated_at) * 1000)::float8 AS updated_ms`
const LIST = `SELECT ${COLUMNS} FROM product_analytics_timeline_event
  WHERE archived = $1::bool
    AND ($2::uuid[] IS NULL OR site_id IS NULL OR site_id = ANY($2::uuid[]))
    AND ($3::text IS NULL OR at >= $3::timestamptz) AND ($4::text IS NULL OR at < $4::timestamptz)
  ORDER BY product_analytics_timeline_event.at, id`
const GET = `SELECT ${COLUMNS} FROM product_analytics_timeline_event WHERE id = $1::uuid`
const COUNT = "SELECT count(*)::int AS count FROM product_analytics_timeline_event"
const SITE = "SELECT 1 FROM product_analytics_site WHERE id = $1::uuid"
const INSERT = `INSERT INTO product_analytics_timeline_event
    (id, site_id, at, time_matters, name, description, icon, author_kind, author_id, author_name)
  VALUES ($1::uuid, $2::uuid, $3::timestamptz, $4, $5, $6, $7, $8, $9, $10)`
const UPDATE = `UPDATE product_analytics_timeline_event SET
    site_id = $2::uuid, at = $3::timestamptz, time_matters = $4, name = $5, description = $6, icon = $7, archived = $8,
    revision = revision + 1, updated_at = now()
  WHERE id = $1::uuid`
const DELETE = "DELETE FROM product_analytics_timeline_event WHERE id = $1::uuid RETURNING id"

type Writing<A> = Effect.Effect<A, TimelineEventsError | SqlError.SqlError>

const failed = (reason: TimelineEventsError["reason"], message: string) => new TimelineEventsError({ reason, message })
const unavailable = (message: string) => failed("Unavailable", message)
const notFound = (id: string) => failed("NotFound", `There is no note with the id ${JSON.stringify(id)}.`)

const toEvent = (row: Row): TimelineEvent => ({
  id: row.id,
  site: row.site_id === null ? null : SiteId.make(row.site_id),
  at: new Date(row.at_ms),
  timeMatters: row.time_matters,
  name: row.name,
  description: row.description,
  icon: row.icon,
  isArchived: row.archived,
  revision: row.revision,
  author: authorOf(row),
  createdAt: new Date(row.created_ms),
  updatedAt: new Date(row.updated_ms)
})

const valuesOf = ({ at, description, icon, name, site, timeMatters }: TimelineEventValues) => [
  site,
  at.toISOString(),
  timeMatters,
  name,
  description,
  icon
]

/** Notes in the app database. */
export const layer: Layer.Layer<TimelineEvents, never, AppDatabase> = Layer.effect(
  TimelineEvents,
  Effect.map(AppDatabase, (sql) => {
    const write = <A>(statements: Writing<A>) => contentTransaction(sql, statements, unavailable)
    const read = (id: string): Writing<TimelineEvent> =>
      Effect.flatMap(sql.unsafe<Row>(GET, [id]), ([row]) =>
        row === undefined ? Effect.fail(notFound(id)) : Effect.succeed(toEvent(row))
      )
    const check = Effect.fnUntraced(function* (
      values: TimelineEventValues
    ): Effect.fn.Return<void, TimelineEventsError | SqlError.SqlError> {
      const { description, name, site } = values
      if (!isStorable({ name, description })) {
        return yield* failed("Invalid", "Strings must not contain NUL or half of a surrogate pair.")
      }
      if (site !== null && (yield* sql.unsafe(SITE, [site])).length === 0) {
        return yield* failed("Invalid", `There is no site with the id "${site}".`)
      }
    })

    return TimelineEvents.of({
      list: ({ archived, from, sites, until }) =>
        Effect.map(
          runChange(
            sql.unsafe<Row>(LIST, [
              archived,
              sites === null ? null : uuidArray(sites),
              from?.toISOString() ?? null,
              until?.toISOString() ?? null
            ]),
            unavailable
          ),
          (rows) => rows.map(toEvent)
        ),
      get: (id) => runChange(read(id), unavailable),
      create: (values, author) =>
        write(
          Effect.gen(function* () {
            yield* check(values)
            const [count] = yield* sql.unsafe<{ count: number }>(COUNT)
            if (count!.count >= MAX_EVENTS) {
              return yield* failed("Full", `There may be ${MAX_EVENTS} notes. Delete some for good.`)
            }
            const id = crypto.randomUUID()
            yield* sql.unsafe(INSERT, [id, ...valuesOf(values), author.kind, author.id, author.name])
            return yield* read(id)
          })
        ),
      update: (id, { archived, revision, ...change }) =>
        write(
          Effect.gen(function* () {
            const event = yield* read(id)
            if (revision !== undefined && revision !== event.revision) {
              return yield* failed(
                "Conflict",
                `The note was changed in the meantime: its revision is ${event.revision}, not ${revision}. Read it again.`
              )
            }
            const values = { ...event, ...change }
            yield* check(values)
            yield* sql.unsafe(UPDATE, [id, ...valuesOf(values), archived ?? event.isArchived])
            return yield* read(id)
          })
        ),
      remove: (id) =>
        write(
          Effect.flatMap(sql.unsafe(DELETE, [id]), (rows) =>
            rows.length === 0 ? Effect.fail(notFound(id)) : Effect.void
          )
        )
    })
  })
)
