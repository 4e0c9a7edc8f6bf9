import { PROPERTY_TYPES, type PropertyType } from "../../domain/propertyType.ts"
import { below, FqlError } from "../fql/FqlError.ts"
import { didYouMean } from "../fql/suggest.ts"
import {
  EXTRACTION_UNITS,
  type Expression,
  type ExtractionUnit,
  TRUNCATION_UNITS,
  type TruncationUnit,
  typeOf
} from "../plan/plan.ts"
import { isByInstant } from "../plan/time.ts"
import { binned } from "./bins.ts"
import { noteCast } from "./casts.ts"
import { resolveExpression } from "./expressions.ts"
import type { Labeled, SelectScope, UnknownProperty } from "./SelectScope.ts"

/** A dimension: what a question groups by, lists or filters. */
export interface Dimension extends Labeled {
  /** The unit that a time is truncated to. */
  readonly unit: TruncationUnit | null
  /** The name of the source's own column, without options; null otherwise. */
  readonly own: string | null
}

type Options = Readonly<Record<string, unknown>>

const DIMENSION_OPTIONS = ["temporal-unit", "binning"]
const FIELD_OPTIONS = [...DIMENSION_OPTIONS, "source-field", "join-alias", "base-type"]
const PROPERTY_OPTIONS = [...DIMENSION_OPTIONS, "event", "type"]

const KINDS = ["field", "prop", "attr", "expression"] as const

/** Whether a clause names a dimension. */
export const isDimension = (given: unknown): given is ReadonlyArray<unknown> =>
  Array.isArray(given) && KINDS.includes(given[0])

export const resolveDimension = (scope: SelectScope, given: unknown, pointer: string): Dimension => {
  if (typeof given === "string") return { ...scope.field(given, pointer), unit: null, own: given }
  if (!isDimension(given)) {
    throw new FqlError(
      "bad-ast",
      pointer,
      `A dimension is a field's name or a clause: ${KINDS.map((kind) => `["${kind}", …]`).join(", ")}.`
    )
  }
  const [kind, name, rawOptions, ...more] = given
  if (typeof name !== "string" || more.length > 0) {
    throw new FqlError("bad-ast", pointer, `Write ["${kind}", name] or ["${kind}", name, options].`)
  }
  const allowed = kind === "field" ? FIELD_OPTIONS : kind === "expression" ? DIMENSION_OPTIONS : PROPERTY_OPTIONS
  const options = optionsOf(rawOptions, allowed, below(pointer, 2))
  const plain = plainDimension(scope, kind as (typeof KINDS)[number], name, options, pointer)
  const isOwn = kind === "field" && options["source-field"] === undefined && options["join-alias"] === undefined
  const at = below(pointer, 2)
  const { binning, "temporal-unit": unit } = options
  if (unit !== undefined && binning !== undefined) {
    throw new FqlError("bad-ast", at, "Use either `temporal-unit` or `binning`, not both.")
  }
  if (unit !== undefined) return inUnit(scope, plain, unit, below(at, "temporal-unit"))
  if (binning === undefined) return { ...plain, unit: null, own: isOwn ? name : null }
  const again = (rows: SelectScope) => plainDimension(rows, kind as (typeof KINDS)[number], name, options, pointer)
  const bins = binned(scope, plain, { again, binning, pointer: below(at, "binning") })
  return { ...bins, unit: null, own: null }
}

const optionsOf = (given: unknown, allowed: ReadonlyArray<string>, pointer: string): Options => {
  if (given === undefined || given === null) return {}
  if (typeof given !== "object" || Array.isArray(given)) {
    throw new FqlError("bad-ast", pointer, "The options of a dimension are an object.")
  }
  const unknown = Object.keys(given).find((key) => !allowed.includes(key))
  if (unknown !== undefined) {
    throw new FqlError(
      "bad-ast",
      below(pointer, unknown),
      `There is no option \`${unknown}\` here; use ${allowed.join(", ")}.${didYouMean(unknown, allowed)}`
    )
  }
  return given as Options
}

const plainDimension = (
  scope: SelectScope,
  kind: (typeof KINDS)[number],
  name: string,
  options: Options,
  pointer: string
): Labeled => {
  switch (kind) {
    case "field":
      return fieldOf(scope, name, options, pointer)
    case "expression":
      return customColumn(scope, name, pointer)
    case "prop": {
      if (scope.view?.name !== "v_pa_events") throw propertySource("Properties", "v_pa_events", pointer)
      const event = options["event"] ?? null
      if (event !== null && typeof event !== "string") {
        throw new FqlError("bad-ast", below(pointer, 2, "event"), "`event` is the name of an event.")
      }
      const { context, sites } = scope.build
      if (context.hidden?.hasProperty(sitesRead(scope), event, name) === true) {
        throw new FqlError("unknown-field", pointer, `There is no property \`${name}\`.`)
      }
      if (event !== null) scope.build.events.add(event)
      const known = context.propertyType(sites, event, name)
      if (known === null) {
        const isShown = (key: string) => context.hidden?.hasProperty(sitesRead(scope), event, key) !== true
        const keys = context.propertyKeys(sites, event).filter(isShown)
        noteUnknown(scope, { of: "event", key: name, event, known: keys })
      }
      const type = propertyType(options, below(pointer, 2)) ?? known ?? "text"
      // Otherwise it is the type of all values.
      if (type !== known || context.isPropertyDeclared(sites, event, name)) {
        noteCast(scope, { of: "event", key: name, event, type })
      }
      return scope.property("event", name, event, type)
    }
    case "attr": {
      const holders: ReadonlyArray<string | undefined> = ["v_pa_events", "v_pa_sessions", "v_pa_visits"]
      if (!holders.includes(scope.view?.name))
        throw propertySource("Attributes", "v_pa_events, v_pa_visits or v_pa_sessions", pointer)
      const { context, sites } = scope.build
      if (context.hidden?.hasAttribute(sitesRead(scope), name) === true) {
        throw new FqlError("unknown-field", pointer, `There is no attribute \`${name}\`.`)
      }
      const known = context.attributeType(sites, name)
      if (known === null) {
        const isShown = (key: string) => context.hidden?.hasAttribute(sitesRead(scope), key) !== true
        noteUnknown(scope, {
          of: "session",
          key: name,
          event: null,
          known: context.attributeKeys(sites).filter(isShown)
        })
      }
      const type = propertyType(options, below(pointer, 2)) ?? known ?? "text"
      if (type !== known || context.isAttributeDeclared(sites, name)) {
        noteCast(scope, { of: "session", key: name, event: null, type })
      }
      return scope.property("session", name, null, type)
    }
  }
}

const noteUnknown = ({ build }: SelectScope, property: UnknownProperty): void => {
  build.unknownProperties.set(JSON.stringify([property.of, property.key, property.event]), property)
}

/** The sites whose rows a query reads. */
export const sitesRead = ({ build, rows }: Pick<SelectScope, "build" | "rows">): ReadonlyArray<string> =>
  rows.sites ?? build.context.sites.map(({ id }) => id)

const propertySource = (what: string, sources: string, pointer: string) =>
  new FqlError("unknown-field", pointer, `${what} need the source ${sources}.`)

const propertyType = (options: Options, pointer: string): PropertyType | null => {
  const given = options["type"]
  if (given === undefined) return null
  const type = PROPERTY_TYPES.find((one) => one === given)
  if (type !== undefined) return type
  throw new FqlError("bad-ast", below(pointer, "type"), `\`type\` is one of ${PROPERTY_TYPES.join(", ")}.`)
}

const fieldOf = (scope: SelectScope, name: string, options: Options, pointer: string): Labeled => {
  const alias = options["join-alias"]
  const key = options["source-field"]
  if (alias !== undefined) {
    if (typeof alias === "string") return scope.joinedField(alias, name, pointer)
    throw new FqlError("bad-ast", below(pointer, 2, "join-alias"), "`join-alias` is the alias of a join.")
  }
  if (key === undefined) return scope.field(name, pointer)
  const keys = Array.isArray(key) ? key : [key]
  if (keys.length < 1 || keys.length > 2 || keys.some((one) => typeof one !== "string")) {
    throw new FqlError(
      "bad-ast",
      below(pointer, 2, "source-field"),
      "`source-field` is the name of a foreign key, or two of them."
    )
  }
  return scope.through(keys, name, pointer)
}

const customColumn = (scope: SelectScope, name: string, pointer: string): Labeled => {
  if (!Object.hasOwn(scope.custom, name)) {
    throw new FqlError(
      "unknown-field",
      pointer,
      `There is no custom column \`${name}\`.${didYouMean(name, Object.keys(scope.custom))}`
    )
  }
  if (scope.resolving.has(name)) {
    throw new FqlError("cycle", below("/expressions", name), `The custom column \`${name}\` refers to itself.`)
  }
  const known = scope.resolved.get(name)
  if (known !== undefined) return known
  scope.resolving.add(name)
  const { expression, label } = resolveExpression(scope, scope.custom[name], below("/expressions", name))
  scope.resolving.delete(name)
  const column = { expression, label: { ...label, name, display: name, origin: null } }
  scope.resolved.set(name, column)
  return column
}

const inUnit = (scope: SelectScope, plain: Labeled, unit: unknown, pointer: string): Dimension => {
  const type = typeOf(plain.expression)
  if (type !== "instant" && type !== "local") {
    throw new FqlError("type-mismatch", pointer, `\`${plain.label.name}\` is not a time.`)
  }
  const truncation = TRUNCATION_UNITS.find((one) => one === unit)
  const extraction = EXTRACTION_UNITS.find((one) => one === unit)
  const suffix = typeof unit === "string" ? unit : ""
  const label = { ...plain.label, origin: null, display: `${plain.label.display}: ${suffix.replaceAll("-", " ")}` }
  if (truncation !== undefined) {
    return { expression: truncated(scope, plain.expression, truncation), label, unit: truncation, own: null }
  }
  if (extraction !== undefined) {
    const expression = extracted(scope, plain.expression, extraction)
    return { expression, label: { ...label, semantic: null, unit: null }, unit: null, own: null }
  }
  const all = [...TRUNCATION_UNITS, ...EXTRACTION_UNITS]
  throw new FqlError(
    "bad-unit",
    pointer,
    `${JSON.stringify(unit)} is not a unit of time: use ${all.join(", ")}.${didYouMean(suffix, all)}`
  )
}

/** Hours and minutes are grouped by instant, so that the hour that autumn repeats is two. */
export const truncated = (scope: SelectScope, time: Expression, unit: TruncationUnit): Expression => {
  const start: Expression = {
    kind: "truncate",
    of: scope.local(time),
    unit,
    weekStart: scope.build.weekStart,
    type: "local"
  }
  return isByInstant(unit) && typeOf(time) === "instant"
    ? { kind: "instant", of: start, near: time, offsets: scope.offsets(time), type: "instant" }
    : start
}

export const extracted = (
  scope: SelectScope,
  time: Expression,
  unit: ExtractionUnit,
  weekStart = scope.build.weekStart
): Expression => ({ kind: "extract", of: scope.local(time), unit, weekStart, type: "integer" })
