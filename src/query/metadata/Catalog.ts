import { Clock, Context, Effect, Layer, Schema } from "effect"
import type { ShownValue } from "../../domain/FieldStats.ts"
import type { SiteId } from "../../domain/ids.ts"
import type { Principal } from "../../domain/Principal.ts"
import type { PropertyType } from "../../domain/propertyType.ts"
import type { Site } from "../../domain/Site.ts"
import { parseSiteId } from "../../domain/siteValues.ts"
import {
  type FieldChoices,
  type FieldScan,
  isHiding,
  Metadata,
  type MetadataError,
  type TableChoices
} from "../../ports/Metadata.ts"
import {
  ANY_EVENT,
  Properties,
  type PropertiesError,
  type PropertyOwner,
  UNNAMED_EVENT
} from "../../ports/Properties.ts"
import { Sites, type SitesError } from "../../ports/Sites.ts"
import { FieldScanner } from "./FieldScanner.ts"
import {
  type ColumnField,
  columnsOf,
  type Field,
  fieldName,
  findColumn,
  findTable,
  type PropertyField,
  propertyField,
  tableIdOf
} from "./fieldIds.ts"
import { type FieldRecord, fieldRecord, type KnownValues, remappingOf, visibilityOf } from "./fieldRecord.ts"
import { hiddenFields } from "./hiddenFields.ts"
import { SHOWN_PROPERTIES } from "./listing.ts"
import { isScannedField, scanSource } from "./scanQuestion.ts"
import { mergeStats } from "./stats.ts"
import { VIEWS, type View } from "./views.ts"

/**
 * - `NotFound`: nothing has this id, or the caller may not see it.
 * - `Forbidden`: the caller may not see the site.
 * - `Unavailable`: the app database can't be reached.
 */
export class CatalogError extends Schema.TaggedError<CatalogError>()("CatalogError", {
  reason: Schema.Literals(["NotFound", "Forbidden", "Unavailable"]),
  message: Schema.String
}) {}

/** A view as a table of the virtual database. */
export interface TableRecord {
  readonly id: number
  readonly view: View
  readonly displayName: string
  readonly description: string | null
  readonly fields: ReadonlyArray<FieldRecord>
}

/** Which fields a list contains. */
export interface ListOptions {
  /** Only this site's properties and values; null: those of all sites that the caller may see. */
  readonly site: string | null
  /** Only properties whose key or event contains this, however rare they are. */
  readonly search: string | null
  /** Fields that are hidden or sensitive, too; only for administrators. */
  readonly includesHidden: boolean
}

/** A value of a field, with what is shown in its place. */
export type ListedValue = readonly [value: ShownValue] | readonly [value: ShownValue, label: string]

export interface ListedValues {
  readonly values: ReadonlyArray<ListedValue>
  readonly hasMore: boolean
}

/** What an administrator changes about a field. */
export interface FieldChange {
  readonly choices: FieldChoices
  /** Of a property. */
  readonly declaredType?: PropertyType | null
}

/** What people may see of the virtual database: its tables, their fields, and the values of these, limited to the caller's sites. */
export class Catalog extends Context.Service<
  Catalog,
  {
    readonly tables: (
      principal: Principal,
      options: ListOptions
    ) => Effect.Effect<ReadonlyArray<TableRecord>, CatalogError>
    readonly table: (principal: Principal, id: number, options: ListOptions) => Effect.Effect<TableRecord, CatalogError>
    readonly field: (principal: Principal, id: number, site: string | null) => Effect.Effect<FieldRecord, CatalogError>
    /** The values to choose from. Reads those that have not been read yet, of a few sites. */
    readonly values: (
      principal: Principal,
      id: number,
      site: string | null
    ) => Effect.Effect<ListedValues, CatalogError>
    /** What has to be known to search a field's values: the field, its labels, and the site to which the search is limited. */
    readonly searched: (
      principal: Principal,
      id: number,
      site: string | null
    ) => Effect.Effect<
      {
        readonly field: Field
        readonly site: SiteId | null
        readonly labelOf: (value: ShownValue) => string | undefined
        readonly sites: ReadonlyArray<Site>
      },
      CatalogError
    >
    readonly changeField: (
      principal: Principal,
      id: number,
      change: FieldChange
    ) => Effect.Effect<FieldRecord, CatalogError>
    readonly changeTable: (
      principal: Principal,
      id: number,
      choices: TableChoices
    ) => Effect.Effect<TableRecord, CatalogError>
  }
>()("footfall/query/Catalog") {}

/** Sites whose values are read on request, if they are not known or out of date. */
const SCANNED_ON_REQUEST = 4
/** Values that were read longer ago than this are read again on request, in ms. */
const STALE_MS = 600_000
/** The same for a sample with few rows, which is read quickly and grows quickly: a new site's or a new property's. */
const SMALL_STALE_MS = 5_000
const SMALL_ROWS = 100

const isStale = ({ scannedAt, stats }: FieldScan, now: number): boolean =>
  now - scannedAt > (stats.rows < SMALL_ROWS ? SMALL_STALE_MS : STALE_MS)

const unavailable = ({ message }: SitesError | MetadataError | PropertiesError) =>
  new CatalogError({ reason: "Unavailable", message })
const noField = (id: number) =>
  new CatalogError({ reason: "NotFound", message: `There is no field with the id ${id}.` })
const noTable = (id: number) =>
  new CatalogError({ reason: "NotFound", message: `There is no table with the id ${id}.` })

/** The caller's sites, or the one that it asks for. */
interface Scope {
  readonly sites: ReadonlyArray<Site>
  readonly site: SiteId | null
}

const NOTHING_KNOWN: KnownValues = { stats: null, values: null }

/** What the scans of several sites say together. */
const knownFrom = (scans: ReadonlyArray<FieldScan>): KnownValues => {
  if (scans.length === 0) return NOTHING_KNOWN
  const lists = scans.map(({ values }) => values)
  const complete = lists.every((values) => values !== null)
  const union = new Set(lists.flatMap((values) => (values ?? []).map(([value]) => value)))
  const stats = mergeStats(
    scans.map((scan) => scan.stats),
    complete ? union.size : null
  )
  return { stats, values: complete && union.size <= MAX_LISTED ? [...union] : null }
}

/** Longest list of values that is offered. */
const MAX_LISTED = 100
/** Keys of properties that are offered; more than one site may have. */
const MAX_KEYS = 2_000

const byValue = ([a]: ListedValue, [b]: ListedValue): number => {
  if (typeof a === "number" && typeof b === "number") return a - b
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0
}

/** What a column of the sites has of each site, as far as people choose it. */
const SITE_VALUES: Readonly<Record<string, (site: Site) => ShownValue>> = {
  id: ({ id }) => id,
  uuid: ({ id }) => id,
  name: ({ name }) => name,
  archived: ({ archived }) => archived,
  timezone: ({ timezone }) => timezone,
  week_start: ({ weekStart }) => weekStart,
  currency: ({ currency }) => currency
}

/** Codes, and what the sites are. */
const definedValues = (
  { column, view }: ColumnField,
  visible: ReadonlyArray<Site>
): ReadonlyArray<ShownValue> | null => {
  if (column.labels !== null) return [...column.labels.keys()]
  if (column.references === "v_pa_sites") return visible.map(({ id }) => id)
  const ofSite = view.name === "v_pa_sites" ? SITE_VALUES[column.name] : undefined
  return ofSite === undefined ? null : visible.map(ofSite)
}

/** Whether a list has yes and no, and nothing is left to find. */
const isYesAndNo = (values: ReadonlyArray<ShownValue>): boolean =>
  [true, false].every((value) => values.includes(value)) && values.length === 2

const make = Effect.gen(function* () {
  const metadata = yield* Metadata
  const properties = yield* Properties
  const scanner = yield* FieldScanner
  const sites = yield* Sites

  const scopeOf = Effect.fnUntraced(function* (
    principal: Principal,
    given: string | null
  ): Effect.fn.Return<Scope, CatalogError> {
    const all = yield* Effect.mapError(sites.list({ archived: true }), unavailable)
    const visible = all.filter(({ id }) => principal.seesSite(id))
    if (given === null) return { sites: visible, site: null }
    const id = parseSiteId(given)
    if (id !== null && !principal.seesSite(id)) {
      return yield* new CatalogError({ reason: "Forbidden", message: "You do not have access to this site." })
    }
    const site = visible.find((one) => one.id === id)
    if (site !== undefined) return { sites: [site], site: site.id }
    return yield* new CatalogError({
      reason: "NotFound",
      message: `There is no site with the id ${JSON.stringify(given.slice(0, 100))}.`
    })
  })

  const record = (field: Field, scans: ReadonlyArray<FieldScan>): FieldRecord =>
    fieldRecord(field, metadata.fieldChoices(field.id), knownFrom(scans))

  const isShown = (field: Field, isEverything: boolean): boolean => {
    if (isEverything) return true
    if (field.kind === "column") return !isHiding(visibilityOf(field, metadata.fieldChoices(field.id)))
    const { event, key, owner, siteId } = field.property
    const hidden = hiddenFields(metadata, properties)
    // The clauses of these two read the key of every event.
    const named = event === ANY_EVENT || event === UNNAMED_EVENT ? null : event
    return owner === "visitor" ? !hidden.hasAttribute([siteId], key) : !hidden.hasProperty([siteId], named, key)
  }

  const propertyFields = ({ sites: visible }: Scope, { includesHidden, search }: ListOptions) =>
    Effect.map(
      properties.list({
        sites: visible.map(({ id }) => id),
        includesHidden,
        limit: SHOWN_PROPERTIES,
        ...(search !== null && { search: search.trim() })
      }),
      (found) => found.map(propertyField).filter((field) => isShown(field, includesHidden))
    ).pipe(Effect.mapError(unavailable))

  const optionsFor = (principal: Principal, options: ListOptions): ListOptions => ({
    ...options,
    includesHidden: options.includesHidden && principal.isAdmin
  })

  const tablesOf = Effect.fnUntraced(function* (
    principal: Principal,
    views: ReadonlyArray<View>,
    given: ListOptions
  ): Effect.fn.Return<ReadonlyArray<TableRecord>, CatalogError> {
    const options = optionsFor(principal, given)
    const scope = yield* scopeOf(principal, options.site)
    const scans = yield* Effect.mapError(
      metadata.scans(
        scope.sites.map(({ id }) => id),
        null
      ),
      unavailable
    )
    const scansByField = Map.groupBy(scans, ({ fieldId }) => fieldId)
    const ofSites = yield* propertyFields(scope, options)
    return views.map((view) => {
      const { description, displayName } = metadata.tableChoices(view.name)
      const columns = options.search === null ? columnsOf(view.name) : []
      const fields: ReadonlyArray<Field> = [
        ...columns.filter((field) => isShown(field, options.includesHidden)),
        ...ofSites.filter((field) => scanSource(field) === view.name)
      ]
      return {
        id: tableIdOf(view.name),
        view,
        displayName: displayName ?? view.label,
        description: description === undefined ? view.description : description,
        fields: fields.map((field) => record(field, scansByField.get(field.id) ?? []))
      }
    })
  })

  const table: Catalog["Service"]["table"] = Effect.fnUntraced(function* (principal, id, options) {
    const view = findTable(id)
    if (view === undefined) return yield* noTable(id)
    const [found] = yield* tablesOf(principal, [view], options)
    return found!
  })

  /** The property with this field's id, if it is of one of these sites. */
  const findProperty = (id: number, visible: ReadonlyArray<Site>): Effect.Effect<PropertyField | null, CatalogError> =>
    Effect.map(Effect.mapError(properties.find(id), unavailable), (property) =>
      property !== null && visible.some((site) => site.id === property.siteId) ? propertyField(property) : null
    )

  /** The field with this id, if the caller may see it, and the sites whose values it has. */
  const find = Effect.fnUntraced(function* (
    principal: Principal,
    id: number,
    site: string | null
  ): Effect.fn.Return<{ readonly field: Field; readonly scope: Scope }, CatalogError> {
    const scope = yield* scopeOf(principal, site)
    const field = findColumn(id) ?? (yield* findProperty(id, scope.sites))
    if (field === null || !isShown(field, principal.isAdmin)) return yield* noField(id)
    if (field.kind === "column") return { field, scope }
    const { siteId } = field.property
    return { field, scope: { sites: scope.sites.filter((one) => one.id === siteId), site: siteId } }
  })

  const scansOf = (field: Field, scope: Scope) =>
    Effect.mapError(
      metadata.scans(
        scope.sites.map(({ id }) => id),
        field.id
      ),
      unavailable
    )

  const fieldOf: Catalog["Service"]["field"] = Effect.fnUntraced(function* (principal, id, site) {
    const { field, scope } = yield* find(principal, id, site)
    return record(field, yield* scansOf(field, scope))
  })

  /** The scans, with those of a few sites that had none or an old one read now. What cannot be read now stays as it was. */
  const freshScans = Effect.fnUntraced(function* (field: Field, scope: Scope, scans: ReadonlyArray<FieldScan>) {
    if (!isScannedField(field)) return scans
    const now = yield* Clock.currentTimeMillis
    const known = new Map(scans.map((scan) => [scan.siteId, scan]))
    const missing = scope.sites.filter(({ id }) => !known.has(id))
    const stale = scope.sites.filter(({ id }) => known.has(id) && isStale(known.get(id)!, now))
    const found = yield* Effect.forEach(
      [...missing, ...stale].slice(0, SCANNED_ON_REQUEST),
      ({ id }) => Effect.catch(scanner.scan(field, id), () => Effect.succeed(null)),
      { concurrency: "unbounded" }
    )
    for (const scan of found) if (scan !== null) known.set(scan.siteId, scan)
    return [...known.values()]
  })

  const labelOf = (field: Field, visible: ReadonlyArray<Site>): ((value: ShownValue) => string | undefined) => {
    const remapping = remappingOf(field, metadata.fieldChoices(field.id))
    if (remapping === null) return () => undefined
    if (remapping.type === "external") {
      const names = new Map(visible.map(({ id, name }) => [id as string, name]))
      return (value) => names.get(String(value))
    }
    const labels = new Map(remapping.labels)
    return (value) => labels.get(value)
  }

  /** The keys of properties or attributes. */
  const keysOf = (owner: PropertyOwner, visible: ReadonlyArray<Site>) =>
    Effect.map(
      properties.list({ sites: visible.map(({ id }) => id), includesHidden: false, onlyKeys: true, limit: MAX_KEYS }),
      (found) => found.flatMap((one) => (one.owner === owner ? [one.key] : []))
    ).pipe(Effect.mapError(unavailable))

  /** Values that are known without reading rows; null for other fields. */
  const ownValues = (
    field: Field,
    visible: ReadonlyArray<Site>
  ): Effect.Effect<ReadonlyArray<ShownValue> | null, CatalogError> => {
    if (field.kind === "property") return Effect.succeed(null)
    const { column, view } = field
    if (column.name === "data_key") return keysOf(view.name === "v_pa_event_data" ? "event" : "visitor", visible)
    return Effect.succeed(definedValues(field, visible))
  }

  const withLabels = (
    values: Iterable<ShownValue>,
    label: (value: ShownValue) => string | undefined
  ): ReadonlyArray<ListedValue> =>
    [...new Set(values)]
      .map((value): ListedValue => {
        const shown = label(value)
        return shown === undefined ? [value] : [value, shown]
      })
      .toSorted(byValue)

  const values: Catalog["Service"]["values"] = Effect.fnUntraced(function* (principal, id, site) {
    const { field, scope } = yield* find(principal, id, site)
    const label = labelOf(field, scope.sites)
    const choice = metadata.fieldChoices(field.id).valueSource
    if (choice === "none") return { values: [], hasMore: false }
    const own = yield* ownValues(field, scope.sites)
    if (own !== null)
      return { values: withLabels(own, label).slice(0, SHOWN_PROPERTIES), hasMore: own.length > SHOWN_PROPERTIES }
    const all = yield* freshScans(field, scope, yield* scansOf(field, scope))
    const known = knownFrom(all)
    const isSample = all.length < scope.sites.length || all.some(({ stats }) => stats.isPartial)
    const hasMore = known.values === null || (isSample && !isYesAndNo(known.values))
    // A field with too many values to list has its most frequent ones, and the others are found by searching.
    const shown = known.values ?? known.stats?.top.map(([value]) => value) ?? []
    return { values: withLabels(shown, label), hasMore }
  })

  return Catalog.of({
    tables: (principal, options) => tablesOf(principal, VIEWS, options),
    table,
    field: fieldOf,
    values,
    searched: (principal, id, site) =>
      Effect.map(find(principal, id, site), ({ field, scope }) => ({
        field,
        site: scope.site,
        labelOf: labelOf(field, scope.sites),
        sites: scope.sites
      })),
    changeField: Effect.fnUntraced(function* (principal, id, { choices, declaredType }) {
      const { field } = yield* find(principal, id, null)
      yield* Effect.mapError(
        metadata.chooseForField({
          id,
          name: fieldName(field),
          choices,
          property: field.kind === "property" ? field.property : null,
          ...(declaredType !== undefined && { declaredType })
        }),
        unavailable
      )
      const changesProperty = declaredType !== undefined || choices.visibility !== undefined
      if (changesProperty && field.kind === "property") yield* Effect.ignore(properties.refresh)
      return yield* fieldOf(principal, id, null)
    }),
    changeTable: Effect.fnUntraced(function* (principal, id, choices) {
      const view = findTable(id)
      if (view === undefined) return yield* noTable(id)
      yield* Effect.mapError(metadata.chooseForTable(view.name, choices), unavailable)
      return yield* table(principal, id, { site: null, search: null, includesHidden: true })
    })
  })
})

export const layer: Layer.Layer<Catalog, never, Metadata | Properties | FieldScanner | Sites> = Layer.effect(
  Catalog,
  make
)
