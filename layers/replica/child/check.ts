import { EVENT_COLUMN_LIST } from "../../../src/domain/eventColumns.ts"
import type { Range } from "./resync.ts"
import type { Reader } from "./Source.ts"
import type { Store } from "./Store.ts"
import { SESSION_FIELDS, STAGED_EVENT_DATA, STAGED_SESSION_DATA, type StagedColumn } from "./schema.ts"

/** A table on both sides: its columns as text, in the same order and notation. */
interface Compared {
  readonly source: { readonly table: string; readonly columns: ReadonlyArray<string> }
  readonly file: { readonly from: string; readonly columns: ReadonlyArray<string> }
}

const columnsOf = (columns: ReadonlyArray<StagedColumn>, alias: string) => ({
  source: columns.map(({ name, source, type }) =>
    type === "TIMESTAMP" ? `(extract(epoch FROM ${name}) * 1000000)::bigint` : source
  ),
  file: columns.map(({ name, type }) => (type === "TIMESTAMP" ? `epoch_us(${alias}.${name})` : `${alias}.${name}`))
})

const shared = EVENT_COLUMN_LIST.filter(([field]) => field !== "siteId" && field !== "sessionId").map(
  ([, { column, kind }]): StagedColumn => ({ name: column, source: column, type: kind === "time" ? "TIMESTAMP" : kind })
)
const [EVENT, DATA, SESSION, ATTRIBUTE] = [
  columnsOf(shared, "event"),
  columnsOf(STAGED_EVENT_DATA, "event_data"),
  columnsOf(SESSION_FIELDS, "session"),
  columnsOf(
    STAGED_SESSION_DATA.filter(({ name }) => name !== "session_id" && name !== "site_id"),
    "session_data"
  )
]
const SESSION_ID = "session.session_id"

const TABLES = {
  events: {
    source: { table: "product_analytics_event", columns: ["session_id", ...EVENT.source] },
    file: {
      from: "event JOIN session ON session.session = event.session JOIN site ON site.site = event.site",
      columns: [SESSION_ID, ...EVENT.file]
    }
  },
  sessions: {
    source: { table: "product_analytics_session", columns: ["session_id", ...SESSION.source] },
    file: {
      from: "session JOIN site ON site.site = session.site AND session.known",
      columns: [SESSION_ID, ...SESSION.file]
    }
  },
  properties: {
    source: { table: "product_analytics_event_data", columns: ["session_id", ...DATA.source] },
    file: {
      from: "event_data JOIN session ON session.session = event_data.session JOIN site ON site.site = event_data.site",
      columns: [SESSION_ID, ...DATA.file]
    }
  },
  attributes: {
    source: { table: "product_analytics_session_data", columns: ["session_id", ...ATTRIBUTE.source] },
    file: {
      from: "session_data JOIN session ON session.session = session_data.session JOIN site ON site.site = session_data.site",
      columns: [SESSION_ID, ...ATTRIBUTE.file]
    }
  }
} as const satisfies Readonly<Record<string, Compared>>

/** From one time (UTC) up to, but not including, another: days as `2026-03-28`, or an hour from `2026-03-28 05:00:00` on. */
interface Span {
  readonly from: string
  readonly until: string
}

/** A part of a check that one statement on each side does. */
export interface CheckUnit {
  readonly table: keyof typeof TABLES
  /** Whole days, or a part of one; null for all days. */
  readonly span: Span | null
}

/** A month with fewer events is checked at once, and so is a day: it takes a few seconds, in which nothing is followed. */
const CHECKED_EVENTS = 200_000

/** Null is not the empty string, and no value looks like the end of the one before. */
const joined = (columns: ReadonlyArray<string>, text: string): string =>
  columns
    .map((column) => `coalesce(length(${column}::${text})::${text} || ':' || ${column}::${text}, '-')`)
    .join(" || ")

/** The first 60 bits of a row's hash. Their sum does not depend on the order. */
const SOURCE_HASH = (columns: ReadonlyArray<string>) =>
  `sum(('x' || left(md5(${joined(columns, "text")}), 15))::bit(60)::bigint)::text`
const FILE_HASH = (columns: ReadonlyArray<string>) =>
  `sum(('0x' || left(md5(${joined(columns, "VARCHAR")}), 15))::BIGINT)::HUGEINT::VARCHAR`

const nextDay = (day: string): string => new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10)

const wholeDay = (day: string): Span => ({ from: day, until: nextDay(day) })

const isHour = ({ from }: Span): boolean => from.includes(" ")

const hoursOf = (day: string): ReadonlyArray<Span> => {
  const begins = Array.from({ length: 24 }, (_, hour) => `${day} ${String(hour).padStart(2, "0")}:00:00`)
  return begins.map((from, hour) => ({ from, until: begins[hour + 1] ?? `${nextDay(day)} 00:00:00` }))
}

/** Site and day to count and checksum. */
type Sums = ReadonlyMap<string, string>

const sumsOf = (rows: ReadonlyArray<ReadonlyArray<unknown>>): Sums =>
  new Map(rows.map(([site, day, count, hash]) => [`${site} ${day}`, `${count} ${hash}`]))

const sourceSums = async (reader: Reader, { span, table }: CheckUnit, sites: ReadonlyArray<string>): Promise<Sums> => {
  const { columns, table: name } = TABLES[table].source
  const where =
    span === null
      ? ""
      : `WHERE site_id = ANY ('{${sites.join(",")}}'::uuid[]) AND created_at >= '${span.from}Z' AND created_at < '${span.until}Z'`
  const rows = await reader.query<{ site: string; day: string; count: string; hash: string }>(
    `SELECT site_id::text AS site, (created_at AT TIME ZONE 'UTC')::date::text AS day, count(*)::text AS count, ${SOURCE_HASH(columns)} AS hash
    FROM ${name} ${where} GROUP BY 1, 2`
  )
  return sumsOf(rows.map(({ count, day, hash, site }) => [site, day, count, hash]))
}

const fileSums = async (store: Store, { span, table }: CheckUnit): Promise<Sums> => {
  const { columns, from } = TABLES[table].file
  const time = `${from.split(" ")[0]}.created_at`
  const where = span === null ? "" : `WHERE ${time} >= TIMESTAMP '${span.from}' AND ${time} < TIMESTAMP '${span.until}'`
  const rows = await store.rows(
    `SELECT site.site_id::VARCHAR, ${time}::DATE::VARCHAR, count(*)::VARCHAR, ${FILE_HASH(columns)} FROM ${from} ${where} GROUP BY ALL`
  )
  return sumsOf(rows)
}

/** The units of a check of all days, or of those from `since` on. `atOnce`: how many events of a month or a day are compared at once. */
export const checkUnits = async (
  reader: Reader,
  store: Store,
  since: string | null,
  atOnce = CHECKED_EVENTS
): Promise<ReadonlyArray<CheckUnit>> => {
  const months = await reader.query<{ month: string }>(
    `SELECT replace(right(relname, 7), '_', '-') AS month FROM pg_inherits JOIN pg_class ON oid = inhrelid
    WHERE inhparent = 'product_analytics_event'::regclass AND relname ~ '_\\d{4}_\\d{2}$' AND to_date(right(relname, 7), 'YYYY_MM') <= now()`
  )
  const days = new Set<string>()
  for (const { month } of months) {
    for (let day = `${month}-01`; day.startsWith(month); day = nextDay(day)) days.add(day)
  }
  const elsewhere = await reader.query<{ day: string }>(
    "SELECT DISTINCT (created_at AT TIME ZONE 'UTC')::date::text AS day FROM product_analytics_event_default"
  )
  for (const { day } of elsewhere) days.add(day)
  const rows = await store.rows("SELECT created_at::DATE::VARCHAR, count(*) FROM event GROUP BY ALL")
  const counts = new Map(rows.map(([day, count]) => [String(day), Number(count)]))
  for (const day of counts.keys()) days.add(day)
  const chosen = [...days].filter((day) => /^\d{4}-/.test(day) && (since === null || day >= since)).sort()
  const units: Array<CheckUnit> = []
  for (const [month, own] of Map.groupBy(chosen, (day) => day.slice(0, 7))) {
    const total = [...counts].reduce((sum, [day, count]) => (day.startsWith(month) ? sum + count : sum), 0)
    const spans =
      total < atOnce
        ? [{ from: own[0]!, until: nextDay(own.at(-1)!) }]
        : own.flatMap((day) => ((counts.get(day) ?? 0) < atOnce ? [wholeDay(day)] : hoursOf(day)))
    for (const span of spans) units.push({ table: "events", span }, { table: "sessions", span })
  }
  return since === null ? [...units, { table: "properties", span: null }, { table: "attributes", span: null }] : units
}

/** A part of a site's day that differs, to be read again. */
interface Difference {
  /** With the site. */
  readonly day: string
  readonly range: Range
}

/** What differs between the two sides, which must be at the same position. */
export const runUnit = async (reader: Reader, store: Store, unit: CheckUnit): Promise<ReadonlyArray<Difference>> => {
  const sites = new Set((await store.rows("SELECT site_id::VARCHAR FROM site")).map(([id]) => String(id)))
  for (const { id } of await reader.query<{ id: string }>("SELECT id::text AS id FROM product_analytics_site"))
    sites.add(id)
  const [source, file] = [await sourceSums(reader, unit, [...sites]), await fileSums(store, unit)]
  return [...new Set([...source.keys(), ...file.keys()])].flatMap((key): ReadonlyArray<Difference> => {
    if (source.get(key) === file.get(key)) return []
    const [siteId, day] = key.split(" ") as [string, string]
    return [{ day: key, range: { siteId, ...(unit.span !== null && isHour(unit.span) ? unit.span : wholeDay(day)) } }]
  })
}
