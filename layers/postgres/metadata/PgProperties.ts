import { Effect, Layer, Semaphore } from "effect"
import { SiteId } from "../../../src/domain/ids.ts"
import { type PropertyType, typeOfCounts, VALUE_KINDS, type ValueCounts } from "../../../src/domain/propertyType.ts"
import { type StartError, startLater } from "../../../src/domain/StartError.ts"
import {
  Properties,
  PropertiesError,
  type PropertyListOptions,
  type PropertyOwner,
  type RegisteredProperty
} from "../../../src/ports/Properties.ts"
import { uuidArray } from "../client/arrays.ts"
import { AppDatabase } from "../client/Database.ts"
import type { DatabaseClient } from "../client/makeClient.ts"
import { runStatement } from "../client/runStatement.ts"
import { Changes } from "../control/Changes.ts"
import { KINDS } from "./propertyRows.ts"
import { PropertyTypes, type TypeRow } from "./propertyTypes.ts"

/** A registry that changes all the time is not read more often than this. */
const MIN_INTERVAL = "1 second"
/** Rows in one statement: some 30 ms, in which this process does nothing else. */
const PAGE_ROWS = 2_000
/** A row may have been committed this long after it was changed: statements that write to the registry have deadlines. */
const OVERLAP = "30 seconds"

const TYPE_COLUMNS = `site_id, owner, event_name, key, ${KINDS} AS kinds, declared_type, hidden`

/** The server's time, and how many rows there are. */
const MARK = `SELECT (clock_timestamp() - interval '${OVERLAP}')::text AS mark,
  (SELECT count(*)::int FROM product_analytics_property) AS rows`
const PAGE = `SELECT ${TYPE_COLUMNS} FROM product_analytics_property
  WHERE (site_id, owner, event_name, key) > ($1::uuid, $2::text, $3::text, $4::text)
  ORDER BY site_id, owner, event_name, key LIMIT ${PAGE_ROWS}`
const CHANGED = `SELECT ${TYPE_COLUMNS} FROM product_analytics_property
  WHERE changed_at > $1::text::timestamptz LIMIT ${PAGE_ROWS}`

interface Mark {
  readonly mark: string
  readonly rows: number
}

const FIRST_SITE = "00000000-0000-0000-0000-000000000000"

const unavailable = (message: string) => new PropertiesError({ message })

/** Follows the types in the registry: what changed since the last time, or everything if that does not suffice. */
const makeFollower = (sql: DatabaseClient) => {
  let types = new PropertyTypes()
  let mark: string | null = null
  const run = <Row extends object>(statement: string, values: ReadonlyArray<unknown> = []) =>
    runStatement(sql.unsafe<Row>(statement, values), unavailable)

  const readAll = Effect.gen(function* () {
    const read = new PropertyTypes()
    let last: Pick<TypeRow, "site_id" | "owner" | "event_name" | "key"> | undefined = {
      site_id: FIRST_SITE,
      owner: "event",
      event_name: "",
      key: ""
    }
    while (last !== undefined) {
      const page: ReadonlyArray<TypeRow> = yield* run<TypeRow>(PAGE, [
        last.site_id,
        last.owner,
        last.event_name,
        last.key
      ])
      read.add(page)
      last = page.length === PAGE_ROWS ? page.at(-1) : undefined
    }
    return read
  })

  const follow = Effect.gen(function* () {
    const [now] = yield* run<Mark>(MARK)
    const changed = mark === null ? null : yield* run<TypeRow>(CHANGED, [mark])
    if (changed !== null && changed.length < PAGE_ROWS) types.add(changed)
    // Fewer rows than known: some were deleted. More: some changed too long ago.
    if (changed === null || changed.length === PAGE_ROWS || types.size !== now!.rows) types = yield* readAll
    mark = now!.mark
  })

  return {
    types: () => types,
    // One at a time, so that an older read cannot overwrite a newer one.
    refresh: Semaphore.makeUnsafe(1).withPermit(follow)
  }
}

interface Row {
  readonly field_id: number
  readonly site_id: string
  readonly owner: PropertyOwner
  readonly event_name: string
  readonly key: string
  readonly counts: ReadonlyArray<number>
  readonly first_ms: number
  readonly last_ms: number
  readonly declared_type: PropertyType | null
  readonly semantic_type: string | null
  readonly hidden: boolean
}

const COLUMNS = `field_id::float8 AS field_id, site_id, owner, event_name, key,
  ARRAY[${VALUE_KINDS.map((kind) => `n_${kind}`).join(", ")}]::float8[] AS counts,
  floor(extract(epoch FROM first_seen) * 1000)::float8 AS first_ms,
  floor(extract(epoch FROM last_seen) * 1000)::float8 AS last_ms, declared_type, semantic_type, hidden`

const LIST = `SELECT ${COLUMNS} FROM product_analytics_property AS property
  WHERE site_id = ANY($1)
    AND ($2 = '' OR strpos(lower(key), lower($2)) > 0 OR strpos(lower(event_name), lower($2)) > 0)
    AND ($3::bool OR NOT hidden)
    AND CASE WHEN $4::bool THEN event_name = '*' ELSE owner = 'visitor' OR event_name <> '*' OR NOT EXISTS (
      SELECT FROM product_analytics_property AS named
      WHERE named.site_id = property.site_id AND named.owner = 'event' AND named.key = property.key
        AND named.event_name <> '*'
    ) END
  ORDER BY n DESC, owner, event_name, key, site_id
  LIMIT $5::int`

const FIND = `SELECT ${COLUMNS} FROM product_analytics_property WHERE field_id = $1::text::bigint
  ORDER BY site_id, owner, event_name, key LIMIT 1`

const toProperty = (row: Row): RegisteredProperty => {
  const counts = Object.fromEntries(VALUE_KINDS.map((kind, index) => [kind, row.counts[index] ?? 0])) as ValueCounts
  return {
    fieldId: row.field_id,
    siteId: SiteId.make(row.site_id),
    owner: row.owner,
    event: row.event_name,
    key: row.key,
    counts,
    firstSeen: new Date(row.first_ms),
    lastSeen: new Date(row.last_ms),
    type: row.declared_type ?? typeOfCounts(counts),
    declaredType: row.declared_type,
    semanticType: row.semantic_type,
    isHidden: row.hidden
  }
}

const listWith =
  (sql: DatabaseClient) =>
  ({ includesHidden = true, limit, onlyKeys = false, search = "", sites }: PropertyListOptions) =>
    Effect.map(
      // A search with a NUL finds nothing, and Postgres takes none.
      search.includes("\0")
        ? Effect.succeed([])
        : runStatement(
            sql.unsafe<Row>(LIST, [uuidArray(sites), search.toWellFormed(), includesHidden, onlyKeys, limit]),
            unavailable
          ),
      (rows) => rows.map(toProperty)
    )

/** The registry in the app database, with the types in memory: read at the start, and what changed at each change. */
export const layer: Layer.Layer<Properties, StartError, AppDatabase | Changes> = Layer.effect(
  Properties,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const changes = yield* Changes
    const { refresh, types } = makeFollower(sql)
    yield* Effect.mapError(refresh, ({ message }) => startLater(`Can't read the registry of properties: ${message}`))
    yield* changes.follow("metadata", Effect.andThen(refresh, Effect.sleep(MIN_INTERVAL)))
    return Properties.of({
      propertyType: (sites, event, key) => types().propertyType(sites, event, key),
      attributeType: (sites, key) => types().attributeType(sites, key),
      propertyKeys: (sites, event) => types().propertyKeys(sites, event),
      attributeKeys: (sites) => types().attributeKeys(sites),
      isPropertyDeclared: (sites, event, key) => types().isPropertyDeclared(sites, event, key),
      isAttributeDeclared: (sites, key) => types().isAttributeDeclared(sites, key),
      hidden: (sites, owner) => types().hidden(sites, owner),
      refresh,
      list: listWith(sql),
      find: (fieldId) =>
        Effect.map(runStatement(sql.unsafe<Row>(FIND, [String(fieldId)]), unavailable), ([row]) =>
          row === undefined ? null : toProperty(row)
        )
    })
  })
)
