import { Effect, Stream } from "effect"
import type { QueryChunk, QueryError } from "../../ports/QueryEngine.ts"
import { type ViewName, viewOf } from "../metadata/views.ts"
import {
  call,
  columnOf,
  type Expression,
  type Join,
  type Relation,
  type Select,
  type TimeRange,
  value
} from "../plan/plan.ts"
import { columnsUsed, isColumn, isVisitorsRelation, joinsThatCount } from "../plan/rows.ts"

/*
 * A long list is exported in slices of time, one after the other in the list's order: the engine sorts the wide rows of one slice at a
 * time instead of all. The slices cover the whole range without overlap, so that each row is in exactly one of them, whatever arrives
 * meanwhile. How many rows there are at which time only decides where slices begin.
 */

/** Rows of a slice: as few as possible while an export takes no longer than in one piece. */
export const SLICE_ROWS = 20_000
/** Rows of a unit of time that is divided into smaller ones. */
const LARGE = 2 * SLICE_ROWS
/** Units of time by which rows are counted, in seconds, each part of the one before. */
const UNITS = [3_600, 60, 1] as const

/** Views whose lists are long, and whose range only says which rows to read. */
const SLICED: ReadonlyArray<ViewName> = ["v_pa_events", "v_pa_event_data"]

/** A list whose rows can be read by their time. */
export interface SlicedList {
  readonly range: TimeRange
  /** Whether the newest rows come first. */
  readonly descending: boolean
  /** The first rows of a part of the range, in the list's order. */
  readonly rows: (part: TimeRange, limit: number) => Select
  /** The number of rows in each unit that has any, of a part of the range: the unit's number since 1970 and the count, in any order. */
  readonly counts: (part: TimeRange, seconds: number) => Select
}

const COUNT: Expression = { kind: "aggregate", name: "count", of: null, where: null, type: "integer" }
const EPOCH = value("instant", "1970-01-01T00:00:00.000Z")

/** A list as one that is read in slices; null if it is short, not in the order of time, or would cost too much for each slice. */
export const slicedList = (select: Select): SlicedList | null => {
  const { from, groupBy, isDistinct, joins, limit, offset, orderBy, where } = select
  const { source } = from
  const first = orderBy[0]
  if (source.kind !== "view" || !SLICED.includes(source.view)) return null
  if (groupBy !== null || isDistinct || offset > 0 || (limit !== null && limit <= SLICE_ROWS)) return null
  const time = viewOf(source.view).time!
  if (first === undefined || !isColumn(first.expression, from, time)) return null
  if (!joins.every((join) => isQuick(join, from))) return null
  const counted = joinsThatCount(joins, where)
  const conditions = [...where, ...counted.flatMap(({ on }) => on)]
  const used = new Set(conditions.flatMap((one) => columnsUsed(one, from)))
  return {
    range: source.scope.range,
    descending: first.descending,
    rows: (part, most) => ({
      ...select,
      from: within(from, part),
      joins: joins.map((join) => ({ ...join, relation: within(join.relation, part) })),
      limit: most
    }),
    counts: (part, seconds) => {
      const at = columnOf(from, time, "instant")
      const unit = call("seconds-between", "integer", EPOCH, at, value("integer", seconds))
      return {
        ...select,
        from: within({ ...from, source: { ...source, used } }, part),
        joins: counted.map((join) => ({ ...join, relation: within(join.relation, part) })),
        columns: [
          { alias: "c0", expression: unit },
          { alias: "c1", expression: COUNT }
        ],
        groupBy: 1,
        orderBy: [],
        limit: null
      }
    }
  }
}

/** Whether what is joined with a slice's rows is found without computing what is joined with all rows. */
const isQuick = (join: Join, from: Relation): boolean => {
  const { source } = join.relation
  if (source.kind === "property") return true
  if (source.kind === "visits") return source.compat === "strict" && isOwnVisit(join, from)
  // The time of each visitor's newest event is looked up for all of them.
  return source.kind === "view" && isVisitorsRelation(join.relation) && !source.used.has("last_seen_at")
}

/** Whether a join finds the visit that a row's time is in. */
const isOwnVisit = ({ on, relation }: Join, from: Relation): boolean => {
  const isSide = (name: "ge" | "le", column: string) =>
    on.some((one) => {
      if (one.kind !== "call" || one.name !== name || !isColumn(one.args[0]!, from, "created_at")) return false
      return columnsUsed(one.args[1]!, relation).includes(column)
    })
  return isSide("ge", "started_at") && isSide("le", "ended_at")
}

/**
 * What a relation has for this part of the range. Expressions go on referring to the whole relation, whose alias this one has. So slices
 * do not look for their ids first (`idsOf`): they have few rows to sort.
 */
const within = ({ alias, source }: Relation, part: TimeRange): Relation => {
  if (source.kind === "visits") return { alias, source: { ...source, part } }
  const isByTime =
    (source.kind === "view" && SLICED.includes(source.view)) || (source.kind === "property" && source.of === "event")
  return isByTime ? { alias, source: { ...source, scope: { ...source.scope, range: part } } } : { alias, source }
}

interface Slice {
  readonly part: TimeRange
  /** Whether it is divided further, if it can be. */
  readonly isLarge: boolean
}

type Count = readonly [unit: number, rows: number]

/** Divides a part of the range, in the list's order. Without rows, it stays in one piece. */
const slicesOf = (
  { descending }: SlicedList,
  counts: ReadonlyArray<Count>,
  part: TimeRange,
  seconds: number
): ReadonlyArray<Slice> => {
  const groups: Array<{ last: number; rows: number }> = []
  for (const [unit, rows] of counts.toSorted(([one], [other]) => (descending ? other - one : one - other))) {
    const group = groups.at(-1)
    if (group !== undefined && group.rows + rows <= SLICE_ROWS) {
      group.last = unit
      group.rows += rows
    } else groups.push({ last: unit, rows })
  }
  if (groups.length === 0) return [{ part, isLarge: false }]
  let { from, until } = part
  return groups.map(({ last, rows }, index) => {
    const isLast = index === groups.length - 1
    const edge = new Date((descending ? last : last + 1) * seconds * 1_000).toISOString()
    const own = isLast ? { from, until } : descending ? { from: edge, until } : { from, until: edge }
    if (descending) until = edge
    else from = edge
    return { part: own, isLarge: rows > LARGE }
  })
}

/** The first rows of a list, read slice by slice. `read` runs a select, as often as needed, one at a time. */
export const readSlices = (
  list: SlicedList,
  limit: number,
  read: (select: Select) => Stream.Stream<QueryChunk, QueryError>
): Stream.Stream<QueryChunk, QueryError> =>
  Stream.suspend(() => {
    let remaining = limit
    const ifMore = (next: () => Stream.Stream<QueryChunk, QueryError>) =>
      Stream.suspend(() => (remaining > 0 ? next() : Stream.empty))
    const rows = (part: TimeRange) =>
      ifMore(() =>
        Stream.map(read(list.rows(part, remaining)), (chunk) => {
          remaining -= chunk.rows.length
          return chunk
        })
      )
    const divided = (part: TimeRange, depth: number): Stream.Stream<QueryChunk, QueryError> => {
      const seconds = UNITS[depth]
      if (seconds === undefined) return rows(part)
      return ifMore(() =>
        Stream.unwrap(
          Effect.map(Stream.runCollect(read(list.counts(part, seconds))), (chunks) => {
            const counts = chunks.flatMap(({ rows }) =>
              rows.map(([unit, count]): Count => [Number(unit), Number(count)])
            )
            return Stream.flatMap(Stream.fromIterable(slicesOf(list, counts, part, seconds)), (slice) =>
              slice.isLarge ? divided(slice.part, depth + 1) : rows(slice.part)
            )
          })
        )
      )
    }
    return divided(list.range, 0)
  })
