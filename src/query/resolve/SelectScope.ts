import { VISIT_GAP_SECONDS } from "../../domain/Event.ts"
import type { PropertyType } from "../../domain/propertyType.ts"
import { FqlError } from "../fql/FqlError.ts"
import { didYouMean } from "../fql/suggest.ts"
import type { Origin } from "../metadata/labels.ts"
import {
  findView,
  referencesOf,
  type SemanticType,
  type View,
  type ViewColumn,
  type ViewName,
  viewOf
} from "../metadata/views.ts"
import type { QuestionContext } from "../plan/context.ts"
import {
  type Compat,
  call,
  columnOf,
  type Expression,
  type Join,
  type Offsets,
  type Relation,
  type RowScope,
  type Source,
  type TimeRange,
  type TruncationUnit,
  typeOf,
  value,
  type WeekStart
} from "../plan/plan.ts"
import { exactWallTime, offsetsOf } from "../plan/time.ts"
import type { Amounts } from "./amounts.ts"
import type { Cast } from "./casts.ts"
import { propertyValue } from "./propertyValue.ts"

/** What one question shares among all its queries. */
export interface Build {
  readonly context: QuestionContext
  /** The ids of the sites that the question names, or of all that the person may read. */
  readonly sites: ReadonlyArray<string>
  readonly zone: string
  readonly weekStart: WeekStart
  readonly compat: Compat
  /** The unit that visits are split by; null for whole visits. */
  readonly presence: TruncationUnit | null
  /** Whether the engine keeps visits, so that they cost less than their rows. */
  readonly keepsVisits: boolean
  /** The next unused alias. */
  readonly alias: () => string
  /** The properties that the question reads as declared types, each once. */
  readonly casts: Map<string, Cast>
  /** The question's aggregations over amounts of any currency, each once. */
  readonly amounts: Map<string, Amounts>
  /** The events that the question names. */
  readonly events: Set<string>
  /** The properties that the question names and that are not registered, each once. */
  readonly unknownProperties: Map<string, UnknownProperty>
  /** How many conditions of the form `did` this part of the question is within. */
  readonly within: number
  /** Counts conditions against the limit of a question. */
  readonly countFilter: (pointer: string) => void
  /** Adds a warning to the answer, once. */
  readonly warn: (warning: Warning) => void
  /** Adds a warning, once, if the question finds nothing. */
  readonly warnOfNothing: (warning: Warning) => void
}

/** A property, or an attribute of the visitor, that is not registered. */
export interface UnknownProperty {
  readonly of: "event" | "session"
  readonly key: string
  /** Null: of any event. */
  readonly event: string | null
  /** The keys that are registered in its place, of those that the person may name. */
  readonly known: ReadonlyArray<string>
}

export interface Warning {
  readonly code: string
  readonly detail: string
  /** Of `uncastable` and `unknown-property`: the property. */
  readonly key?: string
  /** Of `uncastable`: how many of its values in the range were ignored. */
  readonly count?: number
}

/** Offsets of the report's zone within a range. */
export const offsetsWithin = (
  { context, zone }: Pick<Build, "context" | "zone">,
  { from, until }: TimeRange
): Offsets => {
  const instant = (iso: string | null) => (iso === null ? null : Temporal.Instant.from(iso))
  return offsetsOf(zone, instant(from), instant(until), context.now)
}

/** What people see of a value. */
export interface Label {
  readonly name: string
  readonly display: string
  readonly semantic: SemanticType | null
  readonly unit: string | null
  /** Null for what is computed. */
  readonly origin: Origin | null
}

/** An expression and what people see of it. */
export interface Labeled {
  readonly expression: Expression
  readonly label: Label
}

export interface SourceColumn extends Labeled {
  readonly name: string
}

/** `url_path` as `Url path`; known abbreviations in capitals. */
export const displayName = (name: string): string => {
  const words = name.replaceAll(/[_.-]+/g, " ").trim()
  return (words.charAt(0).toUpperCase() + words.slice(1)).replaceAll(
    /\b(?:id|uuid|url|utm|os|lcp|inp|fcp|ttfb|cls)\b/gi,
    (word) => word.toUpperCase()
  )
}

const TITLES: Readonly<Record<string, string>> = {
  subdivision1: "Region",
  duration_s: "Duration",
  timezone: "Time zone"
}

/** What people see of a column's name: `is_entry` is `Entry`. */
export const columnTitle = (name: string): string => TITLES[name] ?? displayName(name.replace(/^is_/, ""))

/** Of the views' columns: each question needs dozens, and making a title takes longer than the rest. */
const LABELS = new WeakMap<ViewColumn, Label>()

export const labelOf = (column: ViewColumn): Label => {
  let label = LABELS.get(column)
  if (label === undefined) {
    const { name, semantic, unit } = column
    label = { name, display: columnTitle(name), semantic, unit, origin: { kind: "column", column } }
    LABELS.set(column, label)
  }
  return label
}

/** A field's label with the title that administrators chose. */
const titled = ({ context, sites }: Build, label: Label): Label => {
  const chosen = label.origin === null ? null : context.title(sites, label.origin)
  return chosen === null ? label : { ...label, display: chosen }
}

export const plainLabel = (name: string, display = displayName(name)): Label => ({
  name,
  display,
  semantic: null,
  unit: null,
  origin: null
})

/** Columns that a question may add to by a foreign key without naming it, in this order. */
const IMPLICIT_KEYS = ["session_id", "visit_id", "event_id", "site_id"]

/** One query's relations: its source, and the joins that its fields need. */
export class SelectScope {
  readonly build: Build
  readonly from: Relation
  /** The view that is the source; null for another query. */
  readonly view: View | null
  readonly columns: ReadonlyArray<SourceColumn>
  readonly rows: RowScope
  readonly joins: Array<Join> = []
  readonly joined = new Map<string, ReadonlyArray<SourceColumn>>()
  /** Custom columns by name, as given. */
  readonly custom: Readonly<Record<string, unknown>>
  /** Custom columns that are being resolved: one that refers to itself is an error. */
  readonly resolving = new Set<string>()
  /** Custom columns, each resolved once: one that uses another twice would otherwise take twice as long. */
  readonly resolved = new Map<string, Labeled>()
  /** Resolves an aggregation; null for anything else. Only after grouping. */
  aggregate: ((clause: ReadonlyArray<unknown>, pointer: string) => Labeled | null) | null = null
  /** Makes the query's rows once more, with their conditions; null while these are resolved. */
  again: (() => { readonly scope: SelectScope; readonly where: ReadonlyArray<Expression> }) | null = null
  readonly #implicit = new Map<string, Relation>()

  constructor(
    build: Build,
    from: Relation,
    rows: RowScope,
    columns: ReadonlyArray<SourceColumn> | View,
    custom: Readonly<Record<string, unknown>>
  ) {
    this.build = build
    this.from = from
    this.rows = rows
    this.view = "entity" in columns ? columns : null
    this.columns = "entity" in columns ? columnsOfView(build, columns, from) : columns
    this.custom = custom
  }

  /** Offsets of the report's zone for the times that this query reads. */
  offsets(expression: Expression): Offsets {
    const range: TimeRange =
      expression.kind === "column" && expression.relation === this.from && expression.column === this.view?.time
        ? this.rows.range
        : { from: null, until: null }
    return offsetsWithin(this.build, range)
  }

  local(expression: Expression): Expression {
    if (typeOf(expression) === "local") return expression
    if (expression.kind === "value") {
      const at = Temporal.Instant.from(String(expression.value)).toZonedDateTimeISO(this.build.zone)
      return value("local", exactWallTime(at))
    }
    return { kind: "local", of: expression, offsets: this.offsets(expression), type: "local" }
  }

  /** The field of this name, as in `url_path`, `v_pa_sessions.country`. */
  field(name: string, pointer: string): Labeled {
    const [prefix, rest] = splitName(name)
    if (prefix !== null && this.view?.name !== prefix) return this.#byView(prefix, rest, pointer)
    const own = this.columns.find((column) => column.name === rest)
    if (own !== undefined) return this.#asVisit(own)
    const inJoins = [...this.joined].flatMap(([alias, columns]) =>
      columns.filter((column) => column.name === rest).map((column) => ({ alias, column }))
    )
    if (inJoins.length === 1) return inJoins[0]!.column
    if (inJoins.length > 1) {
      const aliases = inJoins.map(({ alias }) => `\`${alias}\``).join(" and ")
      throw new FqlError(
        "ambiguous-field",
        pointer,
        `\`${rest}\` is a field of the joins ${aliases}: add \`join-alias\`.`
      )
    }
    // A hidden column of the source is not another view's of the same name.
    const isHidden = this.view?.columns.some((column) => column.name === rest) === true
    const implicit = isHidden ? null : this.#implicitly(rest)
    if (implicit !== null) return implicit
    throw new FqlError(
      "unknown-field",
      pointer,
      `There is no field \`${rest}\` in ${this.#sourceName()}.${didYouMean(rest, this.#names())}`
    )
  }

  /** A field of an explicit join. */
  joinedField(alias: string, name: string, pointer: string): Labeled {
    const columns = this.joined.get(alias)
    if (columns === undefined) {
      throw new FqlError(
        "unknown-field",
        pointer,
        `There is no join \`${alias}\`.${didYouMean(alias, this.joined.keys())}`
      )
    }
    const [, rest] = splitName(name)
    const column = columns.find((one) => one.name === rest || one.name === name)
    if (column !== undefined) return column
    const names = columns.map((one) => one.name)
    throw new FqlError(
      "unknown-field",
      pointer,
      `There is no field \`${rest}\` in \`${alias}\`.${didYouMean(rest, names)}`
    )
  }

  /** A field of the row that a foreign key of the source refers to. */
  through(keys: ReadonlyArray<string>, name: string, pointer: string): Labeled {
    const [prefix, rest] = splitName(name)
    let relation = this.from
    let view = this.view
    for (const key of keys) {
      const column = view === null ? undefined : referencesOf(view).find((one) => one.name === key)
      if (view === null || column === undefined) {
        const known = view === null ? [] : referencesOf(view).map((one) => one.name)
        throw new FqlError(
          "unknown-field",
          pointer,
          `\`${key}\` is not a foreign key of ${this.#sourceName()}.${didYouMean(key, known)}`
        )
      }
      relation = this.#join(relation, view, column)
      view = viewOf(column.references!)
    }
    if (view === null || (prefix !== null && prefix !== view.name)) {
      throw new FqlError("unknown-field", pointer, `\`${keys.join("`, `")}\` does not lead to \`${prefix}\`.`)
    }
    const column = shownColumns(this.build, view).find((one) => one.name === rest)
    if (column === undefined) {
      const names = shownColumns(this.build, view).map((one) => one.name)
      throw new FqlError(
        "unknown-field",
        pointer,
        `There is no field \`${rest}\` in ${view.name}.${didYouMean(rest, names)}`
      )
    }
    return { expression: columnOf(relation, column.name, column.type), label: titled(this.build, labelOf(column)) }
  }

  /** The typed value of a property of the event, or of an attribute of the visitor; null if it has none. */
  property(of: "event" | "session", key: string, event: string | null, type: PropertyType): Labeled {
    const relation = this.#property(of, key, event)
    return {
      expression: propertyValue(relation, type),
      label: titled(this.build, {
        ...plainLabel(key),
        origin: { kind: "property", of, event, key },
        ...(type === "number" && { semantic: "Quantity" as const })
      })
    }
  }

  /** The visitor of a row, which metrics and conditions use also where an administrator hid it. */
  visitor(pointer: string): Expression {
    const name = this.view?.name === "v_pa_sessions" ? "id" : "session_id"
    return this.view?.columns.some((column) => column.name === name) === true
      ? columnOf(this.from, name, "uuid")
      : this.field(name, pointer).expression
  }

  /** The visits of the rows. */
  visits(): Relation {
    const known = this.#implicit.get("visits")
    if (known !== undefined) return known
    const relation: Relation = { alias: this.build.alias(), source: visitsOf(this) }
    this.#implicit.set("visits", relation)
    this.joins.push({ kind: "left", relation, on: this.#withinVisit(relation) })
    return relation
  }

  /** Conditions on which a row belongs to a visit. Web vitals arrive after the last page and belong to the visit, too. */
  #withinVisit(visits: Relation): ReadonlyArray<Expression> {
    const { from } = this
    if (this.build.compat === "umami") {
      return [
        call("eq", "boolean", columnOf(from, "session_id", "uuid"), columnOf(visits, "session_id", "uuid")),
        call("eq", "boolean", columnOf(from, "visit_id", "uuid"), columnOf(visits, "stored_id", "uuid"))
      ]
    }
    const at = columnOf(from, "created_at", "instant")
    const latest = call(
      "add-seconds",
      "instant",
      columnOf(visits, "ended_at", "instant"),
      value("integer", VISIT_GAP_SECONDS)
    )
    return [
      call("eq", "boolean", columnOf(from, "session_id", "uuid"), columnOf(visits, "session_id", "uuid")),
      call("ge", "boolean", at, columnOf(visits, "started_at", "instant")),
      call("le", "boolean", at, latest)
    ]
  }

  /** In the strict reading, an event's channel is its visit's. */
  #asVisit(column: SourceColumn): Labeled {
    if (this.view?.name !== "v_pa_events" || column.name !== "channel" || this.build.compat === "umami") return column
    return { expression: columnOf(this.visits(), "channel", "text"), label: column.label }
  }

  #property(of: "event" | "session", key: string, event: string | null): Relation {
    const id = JSON.stringify([of, key, event])
    const known = this.#implicit.get(id)
    if (known !== undefined) return known
    const rows = of === "event" ? this.rows : { ...this.rows, range: { from: null, until: null } }
    const relation: Relation = {
      alias: this.build.alias(),
      source: { kind: "property", of, key, scope: rows }
    }
    this.#implicit.set(id, relation)
    const own = (name: string) => columnOf(this.from, name, "uuid")
    const on =
      of === "session"
        ? [
            call(
              "eq",
              "boolean",
              columnOf(relation, "session_id", "uuid"),
              own(this.view?.name === "v_pa_sessions" ? "id" : "session_id")
            )
          ]
        : [
            call("eq", "boolean", columnOf(relation, "event_id", "uuid"), own("id")),
            call(
              "eq",
              "boolean",
              columnOf(relation, "created_at", "instant"),
              columnOf(this.from, "created_at", "instant")
            ),
            ...(event === null
              ? []
              : [call("eq", "boolean", columnOf(this.from, "event_name", "text"), value("text", event))])
          ]
    this.joins.push({ kind: "left", relation, on })
    return relation
  }

  #byView(name: string, field: string, pointer: string): Labeled {
    if (this.view === null) {
      const own = this.columns.find((column) => column.name === `${name}.${field}`)
      if (own !== undefined) return own
    }
    const key = this.view === null ? undefined : keysInOrder(this.view).find((one) => one.references === name)
    if (key !== undefined) return this.through([key.name], field, pointer)
    const known = this.view === null ? [] : referencesOf(this.view).map(({ references }) => references!)
    throw new FqlError(
      "unknown-field",
      pointer,
      `${this.#sourceName()} has no field of \`${name}\`.${didYouMean(name, known)}`
    )
  }

  #implicitly(name: string): Labeled | null {
    if (this.view === null) return null
    const key = keysInOrder(this.view).find(({ references }) =>
      viewOf(references!).columns.some((column) => column.name === name && column.semantic !== "PK")
    )
    // A name means the same field whether or not it is hidden.
    const isShown =
      key !== undefined && shownColumns(this.build, viewOf(key.references!)).some((one) => one.name === name)
    return isShown ? this.through([key.name], name, "") : null
  }

  #join(from: Relation, view: View, key: ViewColumn): Relation {
    if (view.name === "v_pa_events" && key.name === "visit_id" && from === this.from) return this.visits()
    const id = `${from.alias}.${key.name}`
    const known = this.#implicit.get(id)
    if (known !== undefined) return known
    const relation: Relation = { alias: this.build.alias(), source: referencedSource(this, key.references!) }
    this.#implicit.set(id, relation)
    const on = call("eq", "boolean", columnOf(relation, "id", "uuid"), columnOf(from, key.name, "uuid"))
    this.joins.push({ kind: "left", relation, on: [on] })
    return relation
  }

  /** Whether a field can be named like this here. */
  hasField(name: string): boolean {
    return (
      [...this.joined.values()].flat().some((column) => column.name === name) ||
      this.#names().includes(splitName(name)[1])
    )
  }

  #sourceName(): string {
    return this.view?.name ?? "the source query"
  }

  #names(): ReadonlyArray<string> {
    const implicit =
      this.view === null
        ? []
        : keysInOrder(this.view).flatMap(({ references }) =>
            shownColumns(this.build, viewOf(references!)).map(({ name }) => name)
          )
    return [...this.columns.map(({ name }) => name), ...implicit]
  }
}

const keysInOrder = (view: View): ReadonlyArray<ViewColumn> =>
  IMPLICIT_KEYS.flatMap((name) => referencesOf(view).filter((column) => column.name === name))

/** `v_pa_sessions.country` as its two parts. */
const splitName = (name: string): readonly [view: ViewName | null, field: string] => {
  const dot = name.indexOf(".")
  const view = dot < 0 ? undefined : findView(name.slice(0, dot))
  return view === undefined ? [null, name] : [view.name, name.slice(dot + 1)]
}

/** The columns that the person who asks may name. */
const shownColumns = ({ context }: Build, { columns, name }: View): ReadonlyArray<ViewColumn> =>
  context.hidden === null ? columns : columns.filter((column) => context.hidden?.hasColumn(name, column.name) === false)

export const columnsOfView = (build: Build, view: View, relation: Relation): ReadonlyArray<SourceColumn> =>
  shownColumns(build, view).map((column) => ({
    name: column.name,
    get expression() {
      return columnOf(relation, column.name, column.type)
    },
    get label() {
      return titled(build, labelOf(column))
    }
  }))

export const visitsOf = (scope: SelectScope): Source => ({
  kind: "visits",
  compat: scope.build.compat,
  scope: scope.rows,
  used: new Set(),
  presence: null,
  part: null
})

/** A row that a key refers to may be older than the question's range. */
const referencedSource = (scope: SelectScope, view: ViewName): Source => ({
  kind: "view",
  view,
  scope: { sites: scope.rows.sites, range: { from: null, until: null } },
  used: new Set()
})
