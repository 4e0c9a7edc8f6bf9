import type { Query, QueryJoin, QuerySource } from "./schema.ts"

/** Keys of a question in the order in which people read it. */
const ORDER: ReadonlyArray<keyof Query> = [
  "fql",
  "type",
  "compat",
  "source",
  "joins",
  "expressions",
  "filter",
  "aggregation",
  "breakout",
  "fields",
  "having",
  "order-by",
  "limit",
  "page",
  "settings"
]

/** A value with sorted keys, and without what has no meaning: options that are null or empty. */
const normalizeClause = (given: unknown): unknown => {
  if (Array.isArray(given)) {
    const parts = given.map(normalizeClause)
    const last = parts.at(-1)
    const isNoOption = last === null || (isObject(last) && Object.keys(last).length === 0)
    return parts[0] === "field" && parts.length === 3 && isNoOption ? parts.slice(0, 2) : parts
  }
  return isObject(given)
    ? Object.fromEntries(
        Object.keys(given)
          .sort()
          .map((key) => [key, normalizeClause(given[key])])
      )
    : given
}

const isObject = (given: unknown): given is Readonly<Record<string, unknown>> =>
  typeof given === "object" && given !== null && !Array.isArray(given)

/** A dimension as a clause. */
const normalizeDimension = (given: unknown): unknown =>
  typeof given === "string" ? ["field", given] : normalizeClause(given)

const normalizeSource = (source: QuerySource): unknown =>
  typeof source === "string"
    ? source
    : "card" in source
      ? { card: source.card.toLowerCase() }
      : { query: normalize(source.query) }

const normalizeJoin = ({ alias, condition, fields = "none", source, strategy }: QueryJoin): unknown => ({
  alias,
  source: normalizeSource(source),
  strategy,
  condition: normalizeClause(condition),
  fields: typeof fields === "string" ? fields : fields.map(normalizeDimension)
})

const PARTS: Readonly<Partial<Record<keyof Query, (given: never) => unknown>>> = {
  source: normalizeSource,
  joins: (joins: ReadonlyArray<QueryJoin>) => joins.map(normalizeJoin),
  breakout: (dimensions: ReadonlyArray<unknown>) => dimensions.map(normalizeDimension),
  fields: (dimensions: ReadonlyArray<unknown>) => dimensions.map(normalizeDimension),
  "order-by": (order: ReadonlyArray<readonly [string, unknown]>) =>
    order.map(([direction, by]) => [direction, normalizeDimension(by)])
}

const isEmpty = (part: unknown): boolean =>
  (Array.isArray(part) && part.length === 0) || (isObject(part) && Object.keys(part).length === 0)

/** The same question in one form: equal questions have equal JSON. */
export const normalize = (query: Query): Query =>
  Object.fromEntries(
    ORDER.flatMap((key) => {
      const part = query[key]
      if (part === undefined || isEmpty(part)) return []
      const normalizePart = PARTS[key] as ((given: unknown) => unknown) | undefined
      return [[key, (normalizePart ?? normalizeClause)(part)]]
    })
  ) as unknown as Query
