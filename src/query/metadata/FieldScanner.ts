import { Clock, Context, Effect, Layer, Option, Queue, Random, type Scope, Semaphore } from "effect"
import type { SiteId } from "../../domain/ids.ts"
import type { Site } from "../../domain/Site.ts"
import { deadline } from "../../lib/deadline.ts"
import { LruCache } from "../../lib/LruCache.ts"
import { type FieldScan, Metadata, type MetadataError } from "../../ports/Metadata.ts"
import { Properties, type PropertiesError } from "../../ports/Properties.ts"
import { type QueryEngine, QueryError } from "../../ports/QueryEngine.ts"
import { QuestionEngines } from "../../ports/QuestionEngines.ts"
import { Settings } from "../../ports/Settings.ts"
import { Sites, type SitesError } from "../../ports/Sites.ts"
import { FIELD_SCAN_INTERVAL_SECONDS } from "../../settings/settings.ts"
import { compileQuestion, type RowLimits } from "../compile.ts"
import type { FqlError } from "../fql/FqlError.ts"
import { contextOf } from "../plan/contextOf.ts"
import { Asking } from "../run/Asking.ts"
import { onUsableEngine } from "../run/usableEngine.ts"
import { columnsOf, type Field, propertyField } from "./fieldIds.ts"
import { inferredSemanticType } from "./fingerprint.ts"
import { SHOWN_PROPERTIES } from "./listing.ts"
import {
  boundaryQuestion,
  isScannedField,
  measuredType,
  newerRowQuestion,
  propertyRange,
  SAMPLE_ROWS,
  type ScanRange,
  scanSource,
  valuesQuestion
} from "./scanQuestion.ts"
import { type Group, shownValue, statsOf } from "./stats.ts"
import { VIEWS, type ViewName, viewOf } from "./views.ts"

/** Longest time that one field may take. */
const FIELD_DEADLINE = "5 seconds"
/** A background scan rests this many times as long as a field took, so that it takes a fifth of one core at most. */
const REST = 4
const MIN_REST_MS = 20
/** The part of the interval after which a scan stops, to continue with the fields that it did not reach. */
const MAX_PART = 0.8
/** The first scan begins within this time, so that processes that start together do not scan together. */
const FIRST_SCAN_MS = { minimum: 30_000, maximum: 300_000 }
/** A requested scan waits for one that another process is running. */
const BUSY_RETRY = "10 seconds"
/** Longest list of values. */
const LISTED_VALUES = 100
/** Fields that requests scan at the same time. */
const AT_ONCE = 2
/** A property that could not be read in time is read in a fifth of the range next time. */
const LESS = 0.2

type ScanError = QueryError | SitesError | MetadataError | PropertiesError | FqlError

/** Reads what the values of fields are. */
export class FieldScanner extends Context.Service<
  FieldScanner,
  {
    /** Scans a field on a site now, within 5 s, and keeps the result. Null if no engine can answer. */
    readonly scan: (field: Field, site: SiteId) => Effect.Effect<FieldScan | null, ScanError>
    /**
     * Scans the fields of every site with new events, or all fields; a fifth of the time, so that it takes minutes. None if another process
     * is doing it. `full` calls it every hour.
     */
    readonly scanAll: (options: { readonly isForced: boolean }) => Effect.Effect<Option.Option<void>, ScanError>
    /** Asks for a scan of all fields in the background. */
    readonly request: Effect.Effect<void>
  }
>()("footfall/query/FieldScanner") {}

type Engine = QueryEngine["Service"]
type Rows = ReadonlyArray<Group>

const LIMITS: RowLimits = { bare: SAMPLE_ROWS, grouped: SAMPLE_ROWS }

const tooLate = new QueryError({ reason: "Timeout", message: `The field was not read within ${FIELD_DEADLINE}.` })

/** Where the newest rows of a view on a site begin, for this long: finding it takes longer than reading them. */
const BOUNDARY_MS = 600_000
/** About 200 bytes each; three views per site. */
const BOUNDARIES = 3_000

interface Boundary {
  readonly from: string | null
  readonly at: number
}

const make = Effect.gen(function* () {
  const asking = yield* Asking
  const engines = yield* QuestionEngines
  const metadata = yield* Metadata
  const properties = yield* Properties
  const sites = yield* Sites
  const settings = yield* Settings
  /** By field: 1, or less after it could not be read in time. */
  const patience = new Map<number, number>()
  const boundaries = new LruCache<Boundary>(BOUNDARIES)
  const requests = yield* Queue.sliding<void>(1)
  const turns = Semaphore.makeUnsafe(AT_ONCE)

  /** The rows of a question about one site, from the engine that can answer; null if there is none, or questions cannot be asked of it. */
  const ask = Effect.fnUntraced(function* (site: Site, question: object): Effect.fn.Return<Rows | null, ScanError> {
    const now = Temporal.Instant.fromEpochMilliseconds(yield* Clock.currentTimeMillis)
    const context = { ...contextOf([site], { properties, settings, now }), isLimited: true }
    const run = Effect.fnUntraced(function* (engine: Engine) {
      const compiled = yield* Effect.fromResult(compileQuestion(context, question, engine, LIMITS))
      const { rows } = yield* engine.run(compiled.query)
      return rows.map((row): Group => [row[0] ?? null, Number(row[1] ?? 0)])
    })
    return yield* onUsableEngine(engines, run).pipe(
      Effect.catchTags({
        NoEngine: () => Effect.succeed(null),
        FqlError: (error) => (error.code === "unsupported-on-backend" ? Effect.succeed(null) : Effect.fail(error))
      })
    )
  })

  /** Where the newest rows of a view begin; null if all of them are among the newest. */
  const boundaryOf = Effect.fnUntraced(function* (site: Site, view: ViewName) {
    const name = `${site.id} ${view}`
    const now = yield* Clock.currentTimeMillis
    const known = boundaries.get(name)
    if (known !== undefined && now - known.at < BOUNDARY_MS) return known.from
    const rows = yield* ask(site, boundaryQuestion(viewOf(view), site.id))
    const found = rows?.[0]?.[0] ?? null
    const from = found === null ? null : String(found).replace(/Z?$/, "Z")
    boundaries.set(name, { from, at: now })
    return from
  })

  const rangeOf = (field: Field, site: Site): Effect.Effect<ScanRange, ScanError> => {
    if (field.kind === "property") {
      return Effect.succeed(
        field.property.owner === "visitor"
          ? { from: null, until: null }
          : propertyRange(field.property, patience.get(field.id) ?? 1)
      )
    }
    // Visits are computed from events.
    const view = field.view.name === "v_pa_visits" ? "v_pa_events" : field.view.name
    return Effect.map(boundaryOf(site, view), (from) => ({ from, until: null }))
  }

  const scanWith = Effect.fnUntraced(function* (
    field: Field,
    site: Site
  ): Effect.fn.Return<FieldScan | null, ScanError> {
    const range = yield* rangeOf(field, site)
    const groups = yield* ask(site, valuesQuestion(field, viewOf(scanSource(field)), site.id, range))
    if (groups === null) return null
    const type = measuredType(field)
    const stats = statsOf(groups, type, isLimited(field, range) || groups.length >= SAMPLE_ROWS)
    const isListed = stats.distinct <= LISTED_VALUES && type !== "time"
    const scan: FieldScan = {
      fieldId: field.id,
      siteId: site.id,
      scannedAt: yield* Clock.currentTimeMillis,
      stats,
      values: isListed
        ? groups.flatMap(([value, rows]) => (value === null ? [] : [[shownValue(value, type), rows] as const]))
        : null
    }
    yield* metadata.saveScan(
      scan,
      field.kind === "property" ? { property: field.property, semanticType: inferredSemanticType(stats) } : null
    )
    return scan
  })

  const scanInTime = (field: Field, site: Site) =>
    scanWith(field, site).pipe(
      deadline({ duration: FIELD_DEADLINE, orElse: () => Effect.fail(tooLate) }),
      Effect.tap(() => Effect.sync(() => patience.delete(field.id))),
      Effect.tapError((error) =>
        Effect.sync(() => {
          if (isTimeout(error)) patience.set(field.id, (patience.get(field.id) ?? 1) * LESS)
        })
      )
    )

  const fieldsOf = (site: SiteId): Effect.Effect<ReadonlyArray<Field>, ScanError> =>
    Effect.map(properties.list({ sites: [site], includesHidden: false, limit: SHOWN_PROPERTIES }), (found) => [
      ...VIEWS.flatMap(({ name }) => columnsOf(name)),
      ...found.map(propertyField)
    ])

  /** Scans a site's fields, those first that were not scanned for longest. */
  const scanSite = Effect.fnUntraced(function* (
    site: Site,
    { isForced, until }: { readonly isForced: boolean; readonly until: number }
  ) {
    const scannedAt = yield* metadata.scannedAt(site.id)
    const newest = Math.max(...scannedAt.values())
    if (!isForced && Number.isFinite(newest)) {
      const rows = yield* ask(site, newerRowQuestion(site.id, new Date(newest).toISOString()))
      if (rows === null || rows.length === 0) return
    }
    const slow = new Set<string>()
    const since = (field: Field) => scannedAt.get(field.id) ?? 0
    // What could not be read in time before comes last.
    const lateness = (field: Field) => (patience.has(field.id) ? 1 : 0)
    const fields = yield* fieldsOf(site.id)
    const due = fields
      .filter((field) => isScannedField(field) && (isForced || isDue(field, since(field))))
      .toSorted((a, b) => lateness(a) - lateness(b) || since(a) - since(b))
    for (const field of due) {
      const group = costGroup(field)
      if (slow.has(group)) continue
      yield* asking.untilQuiet
      const begin = yield* Clock.currentTimeMillis
      if (begin >= until) return
      yield* Effect.catch(Effect.asVoid(scanInTime(field, site)), (error) => {
        // The others of the group would take as long.
        if (isTimeout(error)) slow.add(group)
        return isUnavailable(error)
          ? Effect.fail(error)
          : Effect.logDebug(`A field was not scanned: ${messageOf(error)}`)
      })
      const took = (yield* Clock.currentTimeMillis) - begin
      yield* Effect.sleep(Math.max(MIN_REST_MS, REST * took))
    }
  })

  const scanAll: FieldScanner["Service"]["scanAll"] = ({ isForced }) =>
    metadata.exclusively(
      Effect.gen(function* () {
        const until = (yield* Clock.currentTimeMillis) + MAX_PART * settings.get(FIELD_SCAN_INTERVAL_SECONDS) * 1_000
        for (const site of yield* sites.list({ archived: false })) yield* scanSite(site, { isForced, until })
        yield* metadata.deleteOldScans
      })
    )

  const runInBackground: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function* () {
    const intervalMs = settings.get(FIELD_SCAN_INTERVAL_SECONDS) * 1_000
    const first = yield* Random.nextIntBetween(FIRST_SCAN_MS.minimum, FIRST_SCAN_MS.maximum)
    let wait = Math.min(first, intervalMs)
    const turn = Effect.gen(function* () {
      const requested = yield* Effect.timeoutOption(Queue.take(requests), wait)
      const isForced = Option.isSome(requested)
      wait = intervalMs * (0.9 + 0.2 * (yield* Random.next))
      const outcome = yield* scanAll({ isForced })
      if (Option.isSome(outcome) || !isForced) return
      yield* Effect.sleep(BUSY_RETRY)
      yield* Queue.offer(requests, undefined)
    }).pipe(Effect.catch((error) => Effect.logWarning(`Fields were not scanned; will retry: ${messageOf(error)}`)))
    yield* Effect.forkScoped(Effect.forever(turn))
  })

  yield* runInBackground

  return FieldScanner.of({
    scan: (field, siteId) =>
      turns.withPermit(
        Effect.flatMap(sites.get(siteId), (site) =>
          isScannedField(field) ? scanInTime(field, site) : Effect.succeed(null)
        )
      ),
    scanAll,
    request: Effect.asVoid(Queue.offer(requests, undefined))
  })
})

/** Whether a field has values before a range. */
const isLimited = (field: Field, { from }: ScanRange): boolean =>
  from !== null && (field.kind === "column" || Date.parse(from) > field.property.firstSeen.getTime())

/** Fields of a group take about as long as each other. A channel is that of a visit, which is computed. */
const costGroup = (field: Field): string => {
  if (field.kind === "property") return "properties"
  return field.column.name === "channel" ? "v_pa_visits" : field.view.name
}

/** A column is scanned each time; a property if it had values since. */
const isDue = (field: Field, scannedAt: number): boolean =>
  field.kind === "column" || field.property.lastSeen.getTime() > scannedAt

const isTimeout = (error: ScanError): boolean => error._tag === "QueryError" && error.reason === "Timeout"

/** The engine or the app database is gone, so that nothing else can be scanned either. */
const isUnavailable = (error: ScanError): boolean =>
  error._tag === "MetadataError" ||
  error._tag === "PropertiesError" ||
  error._tag === "SitesError" ||
  (error._tag === "QueryError" && error.reason === "Unavailable")

const messageOf = (error: ScanError): string => (error._tag === "FqlError" ? error.detail : error.message)

/** Scans in the background as long as the scope is open. */
export const layer: Layer.Layer<
  FieldScanner,
  never,
  Asking | QuestionEngines | Metadata | Properties | Sites | Settings
> = Layer.effect(FieldScanner, make)
