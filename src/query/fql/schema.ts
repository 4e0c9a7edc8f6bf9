import { Result, Schema } from "effect"
import { below, FqlError } from "./FqlError.ts"
import { schemaProblems } from "./schemaProblems.ts"

/*
 * FQL/1: questions in JSON, in the clause arrays of legacy MBQL, with names instead of numeric ids. The schema describes the shape and is
 * shared with the browser; `resolve/` checks names and types.
 */

/** A question's limits. */
export const LIMITS = {
  /** Queries within queries. */
  depth: 5,
  joins: 6,
  breakouts: 12,
  aggregations: 30,
  filterNodes: 200,
  /** `did` within `did`, cohorts included. From about 13, each further level doubles the time that DuckDB plans a statement. */
  did: 12,
  /** Values of one `=`. */
  values: 1_000,
  /** Of the question as JSON, in bytes. */
  bytes: 65_536,
  /** Rows of an export: Excel's maximum without the header. */
  rows: 1_048_575,
  pageItems: 2_000,
  page: 1_000_000,
  /** Nesting of one clause. */
  clauseDepth: 40
} as const

/** A clause: its name and its arguments, as in `["=", "country", "DE"]`. */
export const Clause = Schema.TupleWithRest(Schema.Tuple([Schema.String]), [Schema.Unknown])
export type Clause = typeof Clause.Type

/** Whether two parts of a question are written alike. */
export const isSameJson = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

/** Whether a value has the form of a clause. */
export const isClause = (json: unknown): json is Clause => Array.isArray(json) && typeof json[0] === "string"

const Name = Schema.NonEmptyString.check(Schema.isMaxLength(500))
/** A field by its name, or a clause. */
const Dimension = Schema.Union([Name, Clause])
const FilterClause = Clause.annotate({
  description: 'A condition, as in `["=", "country", "DE"]` or `["and", ["not-null", "utm_source"], …]`.'
})
const Aggregation = Clause.annotate({ description: 'A number per group, as in `["count"]` or `["sum", "revenue"]`.' })
const Expression = Schema.Unknown.annotate({
  description: 'A value per row: a field, a constant, or a function such as `["round", ["field", "revenue"]]`.'
})
const CardId = Schema.String.check(Schema.isUUID()).pipe(Schema.annotate({ description: "Id of a saved question." }))

const Settings = Schema.Struct({
  timezone: Schema.optionalKey(
    Schema.String.annotate({ description: "Name of the IANA database. Default: the site's." })
  ),
  "week-start": Schema.optionalKey(Schema.Literals(["monday", "sunday"])),
  fill: Schema.optionalKey(
    Schema.Boolean.annotate({
      description: "Return every bucket of the range, also those without rows. Default: true for time series."
    })
  ),
  other: Schema.optionalKey(
    Schema.Boolean.annotate({
      description:
        "With `limit`: adds a last row named Other, whose numbers are computed from the rows of all other groups."
    })
  ),
  compare: Schema.optionalKey(
    Schema.String.annotate({
      description:
        "Compare with another period: `previous-period`, `previous-year`, `previous-year-same-weekday`, or a range of dates such as `2026-02`.",
      examples: ["previous-period"]
    })
  )
})

const Page = Schema.Struct({
  page: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: LIMITS.page })).annotate({
    description: "Counted from 1"
  }),
  items: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: LIMITS.pageItems })).annotate({
    description: "Rows per page"
  })
})

export interface Query {
  readonly fql: 1
  readonly type: "query"
  readonly compat?: "strict" | "umami"
  readonly source: QuerySource
  readonly joins?: ReadonlyArray<QueryJoin>
  readonly expressions?: Readonly<Record<string, unknown>>
  readonly filter?: Clause
  readonly aggregation?: ReadonlyArray<Clause>
  readonly breakout?: ReadonlyArray<string | Clause>
  readonly fields?: ReadonlyArray<string | Clause>
  readonly "order-by"?: ReadonlyArray<readonly ["asc" | "desc", string | Clause]>
  readonly limit?: number
  readonly page?: typeof Page.Type
  readonly having?: Clause
  readonly settings?: typeof Settings.Type
}

/** A view's name, a saved question, or another query. */
export type QuerySource = string | { readonly card: string } | { readonly query: Query }

export interface QueryJoin {
  readonly alias: string
  readonly source: QuerySource
  readonly strategy: "left-join" | "inner-join"
  readonly condition: Clause
  readonly fields?: "all" | "none" | ReadonlyArray<string | Clause>
}

const Source: Schema.Codec<QuerySource> = Schema.Union([
  Name,
  Schema.Struct({ card: CardId }),
  Schema.Struct({ query: Schema.suspend((): Schema.Codec<Query> => Query) })
])

const Join = Schema.Struct({
  alias: Name,
  source: Source,
  strategy: Schema.Literals(["left-join", "inner-join"]),
  condition: FilterClause,
  fields: Schema.optionalKey(Schema.Union([Schema.Literals(["all", "none"]), Schema.Array(Dimension)]))
})

/** A question: rows or groups of a view. */
export const Query: Schema.Codec<Query> = Schema.Struct({
  fql: Schema.Literal(1),
  type: Schema.Literal("query"),
  compat: Schema.optionalKey(Schema.Literals(["strict", "umami"])),
  source: Source,
  joins: Schema.optionalKey(Schema.Array(Join).check(Schema.isMaxLength(LIMITS.joins))),
  expressions: Schema.optionalKey(Schema.Record(Name, Expression)),
  filter: Schema.optionalKey(FilterClause),
  aggregation: Schema.optionalKey(Schema.Array(Aggregation).check(Schema.isMaxLength(LIMITS.aggregations))),
  breakout: Schema.optionalKey(Schema.Array(Dimension).check(Schema.isMaxLength(LIMITS.breakouts))),
  fields: Schema.optionalKey(Schema.Array(Dimension).check(Schema.isMaxLength(200))),
  "order-by": Schema.optionalKey(
    Schema.Array(Schema.Tuple([Schema.Literals(["asc", "desc"]), Dimension])).check(Schema.isMaxLength(20))
  ),
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: LIMITS.rows }))),
  page: Schema.optionalKey(Page),
  having: Schema.optionalKey(FilterClause),
  settings: Schema.optionalKey(Settings)
}).annotate({ identifier: "Query", description: "A question in FQL/1." })

const decode = Schema.decodeUnknownResult(Query, { onExcessProperty: "error" })

/** How deep arrays and objects are nested; stops counting past `limit`. */
const depthOf = (json: unknown, limit: number): number => {
  if (typeof json !== "object" || json === null || limit === 0) return 0
  let deepest = 0
  for (const child of Object.values(json)) deepest = Math.max(deepest, depthOf(child, limit - 1))
  return deepest + 1
}

/** Arrays and objects in arrays and objects, of the whole question. */
const MAX_JSON_DEPTH = 120

/** A pointer to text with the character U+0000, which no engine stores; null if there is none. */
const nulIn = (json: unknown, pointer = ""): string | null => {
  if (typeof json === "string") return json.includes("\0") ? pointer : null
  if (typeof json !== "object" || json === null) return null
  for (const [key, inner] of Object.entries(json)) {
    const found = key.includes("\0") ? pointer : nulIn(inner, below(pointer, key))
    if (found !== null) return found
  }
  return null
}

/** Reads a question. Checks its shape and size, but no names. */
export const parseQuery = (json: unknown): Result.Result<Query, FqlError> => {
  if (depthOf(json, MAX_JSON_DEPTH) >= MAX_JSON_DEPTH) {
    return Result.fail(
      new FqlError("limit-exceeded", "", `The question is nested more than ${MAX_JSON_DEPTH} levels deep.`)
    )
  }
  const size = new TextEncoder().encode(JSON.stringify(json) ?? "").length
  if (size > LIMITS.bytes) {
    return Result.fail(
      new FqlError(
        "limit-exceeded",
        "",
        `The question has ${size} bytes as JSON; at most ${LIMITS.bytes} are accepted.`
      )
    )
  }
  const nul = nulIn(json)
  if (nul !== null) {
    return Result.fail(new FqlError("bad-ast", nul, "Text cannot contain the character U+0000."))
  }
  return Result.mapError(decode(json), (error) => {
    const [first] = schemaProblems(error.issue, { root: "A question", value: json })
    return new FqlError(
      "bad-ast",
      below("", ...(first?.path ?? []).map(String)),
      first?.detail ?? "This is not a question."
    )
  })
}
