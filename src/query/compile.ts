import { Result } from "effect"
import { LAKE_TABLE_NAMES } from "../ports/LakeAdmin.ts"
import type { Query as EngineQuery, QueryEngine } from "../ports/QueryEngine.ts"
import { otherPeriod } from "./compare/otherPeriod.ts"
import type { Target } from "./dialects/Dialect.ts"
import { DUCKDB } from "./dialects/duckdb.ts"
import { LAKE_IN_DUCKDB } from "./dialects/lakeDuckDb.ts"
import { type LakeEngine, lakeModel } from "./dialects/lakeModel.ts"
import { LAKE_IN_TRINO } from "./dialects/lakeTrino.ts"
import { POSTGRES } from "./dialects/postgres.ts"
import { POSTGRES_MODEL } from "./dialects/postgresModel.ts"
import { render } from "./dialects/render.ts"
import { REPLICA_MODEL } from "./dialects/replicaModel.ts"
import type { Sql } from "./dialects/Sql.ts"
import { FqlError } from "./fql/FqlError.ts"
import { normalize } from "./fql/normalize.ts"
import { parseQuery, type Query } from "./fql/schema.ts"
import { asGiven } from "./passes/places.ts"
import { visitsInsteadOfEvents, withoutVitals } from "./passes/visitsInsteadOfEvents.ts"
import type { QuestionContext } from "./plan/context.ts"
import type { Select } from "./plan/plan.ts"
import { currenciesOf } from "./resolve/amounts.ts"
import { countCasts } from "./resolve/casts.ts"
import { type PlannedQuestion, planQuestion, ROWS_SHOWN } from "./resolve/query.ts"
import { eventNamesOf } from "./unknownEvents.ts"

/** A question as an engine's statement. */
export interface CompiledQuestion {
  readonly fql: Query
  readonly planned: PlannedQuestion
  readonly query: EngineQuery
  /** The plan of `query`. */
  readonly select: Select
  /** The statement of another plan for the same engine. */
  readonly statement: (select: Select) => Result.Result<EngineQuery, FqlError>
  /** Counts the values that `planned.casts` ignore, as rows of a cast's place and its count; null if there are none. */
  readonly casts: EngineQuery | null
  /** Lists the currencies of `planned.amounts`, as rows of an amount's place and a currency; null if there are none. */
  readonly currencies: EngineQuery | null
  /** How to look up which events there are; null if the question names none. */
  readonly eventNames: {
    readonly since: string | null
    readonly query: () => Result.Result<EngineQuery, FqlError>
  } | null
  /** How many rows are shown; the statement returns one more if there are more. */
  readonly shown: number
  /** The same question, with all of its groups, about the period that it is compared with; null if nothing is compared. */
  readonly other: CompiledQuestion | null
}

/** Which engine a question is compiled for. */
export type EngineKind = Pick<QueryEngine["Service"], "dialect" | "model">

/** The engines of the app database. */
export const ENGINES = {
  postgres: { dialect: "postgres", model: "postgres" },
  replica: { dialect: "duckdb", model: "replica" }
} as const satisfies Readonly<Record<string, EngineKind>>

/** Engines that read the lake, by their dialect. */
const LAKE_ENGINES: Readonly<Partial<Record<EngineKind["dialect"], LakeEngine>>> = {
  duckdb: LAKE_IN_DUCKDB,
  trino: LAKE_IN_TRINO
}

/** What a question is rendered for; null for an engine that questions cannot be asked of. */
const targetFor = ({ dialect, model }: EngineKind, { sites }: QuestionContext): Target | null => {
  if (model === "postgres") return { dialect: POSTGRES, model: POSTGRES_MODEL }
  if (model === "replica") return { dialect: DUCKDB, model: REPLICA_MODEL }
  const engine = LAKE_ENGINES[dialect]
  return engine === undefined ? null : { dialect: engine.dialect, model: lakeModel(engine, sites) }
}

/** The lake's tables in a statement. Its text is all ours: what people write is bound to it. */
const lakeTablesIn = ({ texts }: Sql): ReadonlyArray<string> => {
  const words = new Set(texts.flatMap((text) => text.match(/\w+/g) ?? []))
  return LAKE_TABLE_NAMES.filter((name) => words.has(name))
}

const NATIVE = "Native queries are not allowed on the product analytics database"

/** Whether a question, or one that it is built on, is SQL. */
const isNative = (json: unknown, depth = 0): boolean => {
  if (typeof json !== "object" || json === null || depth > 50) return false
  const { native, query, source, type } = json as Readonly<Record<string, unknown>>
  return type === "native" || native !== undefined || isNative(source, depth + 1) || isNative(query, depth + 1)
}

/** Plans a question, by its visits where they know enough. The columns of the answer are those of the question as it was asked. */
const planFast = (
  context: QuestionContext,
  query: Query,
  { model }: Target
): Result.Result<PlannedQuestion, FqlError> =>
  Result.map(planQuestion(context, query, model), (planned) => {
    const other = planned.compat === "strict" ? visitsInsteadOfEvents(query) : null
    if (other === null) return planned
    const faster =
      other.presence === null || model.keepsVisits
        ? planQuestion(context, other.query, { presence: other.presence })
        : planQuestion(context, withoutVitals(query))
    return Result.isSuccess(faster) ? { ...planned, select: faster.success.select } : planned
  })

/** How many rows are shown, of a question that lists rows and of one that groups. */
export interface RowLimits {
  readonly bare: number
  readonly grouped: number
}

const engineQuery = ({ dialect, model }: EngineKind, target: Target, sql: Sql): EngineQuery => ({
  sql: sql.render(
    (index, { type }) =>
      `CAST(${dialect === "trino" ? "?" : `$${index + 1}`} AS ${target.dialect.parameterTypes[type]})`
  ),
  parameters: sql.parameters,
  tables: model === "lake" ? lakeTablesIn(sql) : []
})

/** Groups of the other period that are read: as many as an answer shows by default, since they are kept in memory until they are paired. */
const MAX_COMPARED_GROUPS = ROWS_SHOWN.grouped

/**
 * A question without what chooses among its groups: a group that is shown now may not have been among the largest then. Their order
 * stays, for when there are too many.
 */
const withAllGroups = ({ having: _having, limit: _limit, page: _page, settings, ...query }: Query): Query => {
  const { compare: _compare, other: _other, ...rest } = settings ?? {}
  return { ...query, settings: rest }
}

/** Reads, checks and plans a question, and renders it for an engine. */
export const compileQuestion = (
  context: QuestionContext,
  json: unknown,
  engine: EngineKind,
  limits: RowLimits = ROWS_SHOWN
): Result.Result<CompiledQuestion, FqlError> => {
  if (isNative(json)) return Result.fail(new FqlError("forbidden", "", NATIVE))
  const target = targetFor(engine, context)
  if (target === null) {
    return Result.fail(
      new FqlError("unsupported-on-backend", "", `Questions can't be asked of ${engine.dialect} (\`${engine.model}\`).`)
    )
  }
  return Result.mapError(
    Result.flatMap(parseQuery(json), (query) => compileFor({ target, engine, limits }, context, query)),
    (error) => asGiven(json, error)
  )
}

interface Compiler {
  readonly target: Target
  readonly engine: EngineKind
  readonly limits: RowLimits
}

const compileFor = (
  compiler: Compiler,
  context: QuestionContext,
  query: Query
): Result.Result<CompiledQuestion, FqlError> =>
  Result.gen(function* () {
    const { engine, limits, target } = compiler
    const planned = yield* planFast(context, query, target)
    const { range, warnings } = yield* otherPeriod(context.now, query, planned)
    const most = planned.isGrouped ? limits.grouped : limits.bare
    const shown = Math.min(planned.select.limit ?? most, most)
    const limited = {
      ...planned.select,
      limit: shown + (planned.select.limit !== null && planned.select.limit <= most ? 0 : 1)
    }
    const statement = (select: Select) => Result.map(render(target, select), (sql) => engineQuery(engine, target, sql))
    const comparing = range === null ? null : { own: planned.rows.range, other: range }
    return {
      fql: normalize(query),
      planned: { ...planned, warnings: [...planned.warnings, ...warnings] },
      query: yield* statement(limited),
      select: limited,
      statement,
      casts: planned.casts.length === 0 ? null : yield* statement(countCasts(planned.casts)),
      currencies: planned.amounts.length === 0 ? null : yield* statement(currenciesOf(planned.amounts)),
      eventNames: planned.events.length === 0 ? null : namesOf(context, planned, statement),
      shown,
      other: comparing === null ? null : yield* compileOther(compiler, { ...context, comparing }, query)
    }
  })

/** Only planned when it is needed. The names are looked up where the question itself may look. */
const namesOf = (
  context: QuestionContext,
  planned: PlannedQuestion,
  statement: CompiledQuestion["statement"]
): CompiledQuestion["eventNames"] => {
  const { question, since } = eventNamesOf(context, planned)
  return { since, query: () => Result.flatMap(planQuestion(context, question), ({ select }) => statement(select)) }
}

/** The question about the other period. Only the question's own period is searched for what warnings say. */
const compileOther = (compiler: Compiler, context: QuestionContext, query: Query) =>
  Result.map(
    compileFor(
      { ...compiler, limits: { ...compiler.limits, grouped: MAX_COMPARED_GROUPS } },
      context,
      withAllGroups(query)
    ),
    (compiled): CompiledQuestion => ({ ...compiled, casts: null, currencies: null, eventNames: null })
  )
