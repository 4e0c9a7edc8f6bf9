import { below, FqlError } from "../fql/FqlError.ts"
import type { Clause, Query } from "../fql/schema.ts"
import { didYouMean, suggestion } from "../fql/suggest.ts"
import type { View } from "../metadata/views.ts"
import type { QuestionContext, QuestionSite } from "../plan/context.ts"
import type { TimeRange } from "../plan/plan.ts"
import { isoOf } from "../plan/time.ts"
import { type Calendar, intervalOf, isClause, momentOf, type Period, shiftedIntervalOf } from "./moments.ts"
import type { Build, Warning } from "./SelectScope.ts"
import { hidesSiteNames, unknownSite } from "./values.ts"

/** Whether a filter's operand is this column of the source, as it is. */
const isField = (operand: unknown, view: View, column: string): boolean => {
  const name = typeof operand === "string" ? operand : plainField(operand)
  return name === column || name === `${view.name}.${column}`
}

const plainField = (operand: unknown): string | null => {
  if (!Array.isArray(operand) || operand[0] !== "field" || typeof operand[1] !== "string") return null
  const options = operand[2] as Readonly<Record<string, unknown>> | null | undefined
  return options === undefined || options === null || Object.keys(options).length === 0 ? operand[1] : null
}

/** The conditions of a query's rows, and what decides which fields they name. */
type Conditions = Pick<Query, "filter" | "joins">

/** Whether a filter's operand is the name of the row's site. */
const isSiteName = (operand: unknown, view: View, { joins = [] }: Conditions): boolean => {
  const through = fieldThrough(operand, view.site)
  const name = typeof operand === "string" ? operand : (plainField(operand) ?? through)
  if (name === "v_pa_sites.name") return true
  // A join's field of this name comes first.
  return name === "name" && (view.name === "v_pa_sites" || through !== null || joins.length === 0)
}

/** The field of the row that this foreign key leads to; null for anything else. */
const fieldThrough = (operand: unknown, key: string): string | null => {
  if (!Array.isArray(operand) || operand[0] !== "field" || typeof operand[1] !== "string") return null
  const { "source-field": given, ...others } = (operand[2] ?? {}) as Readonly<Record<string, unknown>>
  return String(given) === key && Object.keys(others).length === 0 ? operand[1] : null
}

/** What a condition that all rows must meet says about their site: its ids or its names, as given. Null if it says nothing. */
const siteValuesOf = (
  context: QuestionContext,
  view: View,
  query: Conditions,
  [name, operand, ...values]: Clause
): { readonly by: "id" | "name"; readonly values: ReadonlyArray<unknown> } | null => {
  if (name !== "=" || values.length === 0) return null
  if (isField(operand, view, view.site)) return { by: "id", values }
  const isNamed = values.every((value) => typeof value === "string") && isSiteName(operand, view, query)
  return isNamed && !hidesSiteNames(context) ? { by: "name", values } : null
}

const sitesNamed = ({ sites }: QuestionContext, name: unknown): ReadonlyArray<QuestionSite> =>
  sites.filter((site) => site.name === name)

/** The sites of a query that reads a view, as far as its conditions name any; null if they name none. */
export const namedSites = (
  context: QuestionContext,
  view: View,
  query: Conditions,
  pointer: string
): ReadonlySet<string> | null => {
  let named: ReadonlySet<string> | null = null
  for (const [clause] of query.filter === undefined ? [] : conjunction(query.filter, pointer)) {
    const found = siteValuesOf(context, view, query, clause)
    if (found === null) continue
    const ids = new Set(
      found.values.flatMap((value) =>
        found.by === "id" ? [String(value).toLowerCase()] : sitesNamed(context, value).map(({ id }) => id)
      )
    )
    named = named === null ? ids : named.intersection(ids)
  }
  return named
}

/** The period that a condition on a time allows; null if it is not a single period. */
export const periodOf = (build: Calendar, clause: Clause, pointer: string): Period | null => {
  const [name, , ...args] = clause
  const moment = (index: number) => momentOf(build, args[index], below(pointer, index + 2))
  if (args.some(isClause)) return null
  switch (name) {
    case "time-interval":
      return intervalOf(build, args, pointer)
    case "relative-time-interval":
      return shiftedIntervalOf(build, args, pointer)
    case "between":
      return args.length === 2 ? { from: moment(0).from, until: moment(1).until } : null
    case "=":
      return args.length === 1 && args[0] !== null ? moment(0) : null
    case ">=":
      return args.length === 1 ? { from: moment(0).from, until: null } : null
    case ">":
      return args.length === 1 ? { from: moment(0).until, until: null } : null
    case "<":
      return args.length === 1 ? { from: null, until: moment(0).from } : null
    case "<=":
      return args.length === 1 ? { from: null, until: moment(0).until } : null
    default:
      return null
  }
}

/** Whether a period ends before it begins. */
export const isReversed = ({ from, until }: Period): boolean =>
  from !== null && until !== null && Temporal.ZonedDateTime.compare(from, until) >= 0

/** The warning about the arguments of a `between` that nothing is between. */
export const reversed = ([, from, to]: ReadonlyArray<unknown>, than: "after" | "more than"): Warning => ({
  code: "reversed-range",
  detail: `\`between\` finds nothing, because ${JSON.stringify(from)} is ${than} ${JSON.stringify(to)}.`
})

/** The bounds of a period as instants. */
export const rangeOf = ({ from, until }: Period): TimeRange => ({
  from: from === null ? null : instantOf(from),
  until: until === null ? null : instantOf(until)
})

const instantOf = (at: Temporal.ZonedDateTime): string => {
  const iso = isoOf(at.toInstant())
  return at.microsecond === 0 ? iso : iso.replace("Z", `${String(at.microsecond).padStart(3, "0")}Z`)
}

const later = (a: string | null, b: string | null): string | null =>
  a === null || b === null ? (a ?? b) : compareIso(a, b) >= 0 ? a : b
const earlier = (a: string | null, b: string | null): string | null =>
  a === null || b === null ? (a ?? b) : compareIso(a, b) <= 0 ? a : b
const compareIso = (a: string, b: string): number =>
  Temporal.Instant.compare(Temporal.Instant.from(a), Temporal.Instant.from(b))

const meet = (a: TimeRange, b: TimeRange): TimeRange => ({
  from: later(a.from, b.from),
  until: earlier(a.until, b.until)
})

/** A site that a filter names, and where. */
interface NamedSite {
  readonly id: string
  readonly pointer: string
}

/** What a question's filter says about which rows to read, and the conditions that remain. */
export interface Narrowed {
  readonly range: TimeRange
  /** The sites that the filter names; null if it names none. */
  readonly sites: ReadonlyArray<NamedSite> | null
  /** The remaining conditions with their pointers, all of which must hold. */
  readonly rest: ReadonlyArray<readonly [Clause, string]>
}

/** The conditions that all must hold, with their pointers. */
export const conjunction = (filter: unknown, pointer: string): ReadonlyArray<readonly [Clause, string]> => {
  if (!Array.isArray(filter) || typeof filter[0] !== "string") {
    throw new FqlError("bad-ast", pointer, "A filter is an array that begins with the name of an operator.")
  }
  return filter[0] === "and"
    ? filter.slice(1).flatMap((part, index) => conjunction(part, below(pointer, index + 1)))
    : [[filter as unknown as Clause, pointer]]
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** An id in lower case; null if it is not a UUID. */
export const parseUuid = (given: string): string | null => {
  const id = given.toLowerCase()
  return UUID.test(id) ? id : null
}

/** Takes the conditions on the site and on the time out of a filter: they apply where the rows are read. */
export const narrow = (build: Build, view: View, query: Conditions, pointer: string): Narrowed => {
  let range: TimeRange = { from: null, until: null }
  let sites = null as ReadonlyArray<NamedSite> | null
  const rest: Array<readonly [Clause, string]> = []
  for (const [clause, at] of query.filter === undefined ? [] : conjunction(query.filter, pointer)) {
    const [, operand] = clause
    if (view.time !== null && isField(operand, view, view.time)) {
      const period = periodOf(build, clause, at)
      if (period !== null) {
        build.countFilter(at)
        if (clause[0] === "between" && isReversed(period)) build.warn(reversed(clause.slice(1), "after"))
        range = meet(range, rangeOf(period))
        continue
      }
    }
    const found = siteValuesOf(build.context, view, query, clause)
    if (found !== null) {
      build.countFilter(at)
      const idsOf = (value: unknown, place: string) =>
        found.by === "id" ? [siteId(build, value, place)] : idsNamed(build.context, String(value), place)
      const named = found.values.flatMap((value, index) => {
        const place = below(at, index + 2)
        return idsOf(value, place).map((id) => ({ id, pointer: place }))
      })
      const before = sites
      sites = before === null ? named : named.filter(({ id }) => before.some((one) => one.id === id))
      continue
    }
    rest.push([clause, at])
  }
  return { range: inOtherPeriod(build, range), sites, rest }
}

/** The range to read: that of the other period if this is the range that is compared. */
const inOtherPeriod = ({ context: { comparing } }: Build, range: TimeRange): TimeRange =>
  comparing !== null && comparing.own.from === range.from && comparing.own.until === range.until
    ? comparing.other
    : range

const siteId = ({ context }: Build, given: unknown, pointer: string): string => {
  const id = typeof given === "string" ? parseUuid(given) : null
  if (id !== null) return id
  const [meant = null] = hidesSiteNames(context) ? [] : sitesNamed(context, given)
  throw new FqlError(
    "type-mismatch",
    pointer,
    `${JSON.stringify(given)} is not the id of a site.${suggestion(meant?.id ?? null)}`
  )
}

const idsNamed = (context: QuestionContext, name: string, pointer: string): ReadonlyArray<string> => {
  const found = sitesNamed(context, name)
  if (found.length > 0) return found.map(({ id }) => id)
  const names = context.sites.map((site) => site.name)
  const longer = names.find((one) => one.toLowerCase().includes(name.toLowerCase()))
  throw new FqlError(
    "not-found",
    pointer,
    `There is no site \`${name}\`.${didYouMean(name, names) || suggestion(longer ?? null)}`
  )
}

/**
 * The sites to read: those that the filter names, within what the person may read; null for all. Who may not read a site does not learn
 * whether it exists.
 */
export const permittedSites = (
  { context, warn }: Build,
  named: ReadonlyArray<NamedSite> | null
): ReadonlyArray<string> | null => {
  const known = new Set(context.sites.map(({ id }) => id))
  if (named === null) return context.isLimited ? [...known] : null
  const denied = context.isLimited ? named.find(({ id }) => !known.has(id)) : undefined
  if (denied !== undefined) {
    throw new FqlError("forbidden", denied.pointer, `You do not have access to the site ${denied.id}.`)
  }
  for (const { id } of named) if (!known.has(id)) warn(unknownSite(id))
  return named.map(({ id }) => id)
}
