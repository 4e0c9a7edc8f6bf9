import { Clock, Context, Effect, Exit, Layer, Result, Scope, Stream } from "effect"
import type { Principal } from "../../domain/Principal.ts"
import { Metadata } from "../../ports/Metadata.ts"
import { Properties } from "../../ports/Properties.ts"
import { type QueryChunk, type QueryEngine, QueryError, type QueryParameter } from "../../ports/QueryEngine.ts"
import { QuestionEngines } from "../../ports/QuestionEngines.ts"
import { type Definitions, SavedDefinitions, type SavedDefinitionsError } from "../../ports/SavedDefinitions.ts"
import { Settings } from "../../ports/Settings.ts"
import { Sites, type SitesError } from "../../ports/Sites.ts"
import {
  QUESTION_CACHE_BYTES,
  QUESTION_CACHE_SECONDS,
  QUESTION_MAX_GROUPS,
  QUESTION_MAX_ROWS,
  QUESTION_QUEUE_SECONDS,
  QUESTIONS_AT_ONCE,
  QUESTIONS_AT_ONCE_PER_USER
} from "../../settings/settings.ts"
import {
  type Answer,
  type AnswerColumn,
  answerColumns,
  type Cell,
  cellsOf,
  filledRows,
  runQuestion,
  shapeAnswer,
  shownRows
} from "../answer.ts"
import { comparedColumns, withPartner } from "../compare/comparedColumns.ts"
import { pairRows, type ShownRows } from "../compare/comparison.ts"
import { type CompiledQuestion, compileQuestion, ENGINES, type RowLimits } from "../compile.ts"
import { readSlices, slicedList } from "../export/slices.ts"
import type { FqlError } from "../fql/FqlError.ts"
import { type Clause, isClause, LIMITS, parseQuery } from "../fql/schema.ts"
import { hiddenFields } from "../metadata/hiddenFields.ts"
import { labelsWith, titlesWith } from "../metadata/labels.ts"
import type { QuestionContext } from "../plan/context.ts"
import { contextOf } from "../plan/contextOf.ts"
import { Asking } from "./Asking.ts"
import { QuestionQueue, type QuestionsBusy } from "./QuestionQueue.ts"
import { type CachedResult, ResultCache } from "./ResultCache.ts"
import { SharedRuns } from "./SharedRuns.ts"
import { makeTurns } from "./turns.ts"
import { type NoEngine, onUsableEngine } from "./usableEngine.ts"

export type AskError = FqlError | QueryError | SitesError | SavedDefinitionsError | QuestionsBusy | NoEngine

/** An answer, and when it was computed if that was for an earlier question. */
export interface GivenAnswer {
  readonly answer: Answer
  /** ISO 8601 in UTC; null if it was computed for this question. */
  readonly cachedAt: string | null
  /** The engine's statement, for administrators. */
  readonly sql: string
}

/** All rows of a question, for an export. */
export interface ExportedRows {
  readonly columns: ReadonlyArray<AnswerColumn>
  /** IANA name of the zone in which times are given. */
  readonly zone: string
  /** In chunks, at the reader's pace. Fails when the engine does. */
  readonly rows: Stream.Stream<ReadonlyArray<ReadonlyArray<Cell>>, QueryError>
}

export interface AskOptions {
  /** Computes the answer even if the same one was computed before. */
  readonly ignoreCache?: boolean
}

/** Asks questions of the engine that has the data: with limits, in turn, once for everyone who asks the same, and cached. */
export class Questions extends Context.Service<
  Questions,
  {
    readonly ask: (principal: Principal, json: unknown, options?: AskOptions) => Effect.Effect<GivenAnswer, AskError>
    /** Ends with the first rows, until which another engine may answer instead. The rows hold their place in the queue until the scope closes. */
    readonly export: (principal: Principal, json: unknown) => Effect.Effect<ExportedRows, AskError, Scope.Scope>
    /** Checks a question and its permissions without asking it. */
    readonly check: (
      principal: Principal,
      json: unknown
    ) => Effect.Effect<CompiledQuestion, FqlError | SitesError | SavedDefinitionsError>
  }
>()("footfall/query/Questions") {}

type Engine = QueryEngine["Service"]

interface Asked {
  readonly principal: Principal
  readonly context: QuestionContext
  readonly json: unknown
}
type RunError = QueryError | QuestionsBusy

/** An export has as many rows as fit into a sheet below its header. */
const EXPORT_LIMITS: RowLimits = { bare: LIMITS.rows, grouped: LIMITS.rows }

/** Exports that run at the same time. As many as engines stream at a time, of which one person cannot have all. */
const EXPORTS = { atOnce: 4, perAsker: 2 }

const parameterText = ({ type, value }: QueryParameter): string => `${type} ${value}`

/** Identical for questions whose answers come from the same rows. */
const keyOf = (model: string, { casts, currencies, query }: CompiledQuestion): string =>
  JSON.stringify([
    model,
    ...[query, casts, currencies].map((one) => one && [one.sql, one.parameters.map(parameterText)])
  ])

/** Saved items that are not valid any more are left out, as if they did not exist. */
const parsed = ({
  cards,
  cohorts,
  segments,
  trashed
}: Definitions): Pick<QuestionContext, "cards" | "cohorts" | "segments" | "trashed"> => ({
  trashed,
  cards: new Map(
    [...cards].flatMap(([id, json]) => {
      const query = parseQuery(json)
      return Result.isSuccess(query) ? [[id, query.success] as const] : []
    })
  ),
  segments: clauses(segments),
  cohorts: clauses(cohorts)
})

const clauses = (definitions: ReadonlyMap<string, unknown>): ReadonlyMap<string, Clause> =>
  new Map([...definitions].flatMap(([id, json]) => (isClause(json) ? [[id, json] as const] : [])))

const make = Effect.gen(function* () {
  const asking = yield* Asking
  const engines = yield* QuestionEngines
  const metadata = yield* Metadata
  const properties = yield* Properties
  const saved = yield* SavedDefinitions
  const sites = yield* Sites
  const settings = yield* Settings
  const { get } = settings
  const limits: RowLimits = { bare: get(QUESTION_MAX_ROWS), grouped: get(QUESTION_MAX_GROUPS) }
  const queue = new QuestionQueue({
    atOnce: get(QUESTIONS_AT_ONCE),
    atOncePerAsker: get(QUESTIONS_AT_ONCE_PER_USER),
    waitSeconds: get(QUESTION_QUEUE_SECONDS)
  })
  // In places of their own, which a slow reader may hold for minutes.
  const exports = new QuestionQueue({
    atOnce: EXPORTS.atOnce,
    atOncePerAsker: EXPORTS.perAsker,
    waitSeconds: get(QUESTION_QUEUE_SECONDS)
  })
  const turn = makeTurns()
  const runs = new SharedRuns<CachedResult, RunError>()
  const cache = new ResultCache(get(QUESTION_CACHE_BYTES), get(QUESTION_CACHE_SECONDS) * 1_000)

  /** What a question of this principal may refer to. */
  const contextFor = Effect.fnUntraced(function* (
    principal: Principal,
    json: unknown
  ): Effect.fn.Return<QuestionContext, SitesError | SavedDefinitionsError> {
    const now = Temporal.Instant.fromEpochMilliseconds(yield* Clock.currentTimeMillis)
    const all = yield* sites.list({ archived: true })
    const visible = all.filter(({ id }) => principal.seesSite(id))
    return {
      ...contextOf(visible, { properties, settings, now }),
      ...parsed(yield* saved.load(principal, json)),
      labels: labelsWith(metadata.fieldChoices),
      title: titlesWith(metadata.fieldChoices),
      isLimited: principal.siteLimit !== null,
      hidden: principal.isAdmin ? null : hiddenFields(metadata, properties)
    }
  })

  const compute = (lane: string, engine: Engine, compiled: CompiledQuestion): Effect.Effect<CachedResult, RunError> =>
    queue.run(
      lane,
      Effect.gen(function* () {
        const { time, version } = yield* engine.asOf
        const result = yield* runQuestion(engine, compiled)
        return { ...result, asOf: time, version, at: yield* Clock.currentTimeMillis }
      })
    )

  /** The rows that the cache, another's run or a new one has. */
  const resultOf = Effect.fnUntraced(function* (
    lane: string,
    engine: Engine,
    compiled: CompiledQuestion,
    ignoreCache: boolean
  ): Effect.fn.Return<{ readonly result: CachedResult; readonly isCached: boolean }, RunError> {
    const key = keyOf(engine.model, compiled)
    // An engine is asked for its version only if something is there to compare with.
    if (!ignoreCache && cache.has(key)) {
      const { version } = yield* engine.asOf
      const cached = cache.get(key, version, yield* Clock.currentTimeMillis)
      if (cached !== null) return { result: cached, isCached: true }
    }
    const result = yield* runs.join(
      key,
      Effect.tap(compute(lane, engine, compiled), (computed) => Effect.sync(() => cache.set(key, computed)))
    )
    return { result, isCached: false }
  })

  const answerFrom = Effect.fnUntraced(function* (
    engine: Engine,
    asked: Asked,
    ignoreCache: boolean
  ): Effect.fn.Return<GivenAnswer, FqlError | RunError> {
    const startedAt = performance.now()
    const { context, json, principal } = asked
    yield* turn
    const compiled = yield* Effect.fromResult(compileQuestion(context, json, engine, limits))
    const resultFor = (one: CompiledQuestion) => resultOf(principal.key, engine, one, ignoreCache)
    const [{ isCached, result }, other] = yield* Effect.all(
      [resultFor(compiled), compiled.other === null ? Effect.succeed(null) : resultFor(compiled.other)],
      { concurrency: 2 }
    )
    yield* turn
    const answer = shapeAnswer(
      compiled,
      { ...result, other: other?.result.rows ?? null },
      { now: context.now, route: engine.model, asOf: result.asOf, startedAt }
    )
    return { answer, cachedAt: isCached ? new Date(result.at).toISOString() : null, sql: compiled.query.sql }
  })

  const ask: Questions["Service"]["ask"] = Effect.fnUntraced(function* (principal, json, { ignoreCache = false } = {}) {
    const asked = { principal, context: yield* contextFor(principal, json), json }
    return yield* asking.during(onUsableEngine(engines, (engine) => answerFrom(engine, asked, ignoreCache)))
  })

  const exportFrom = Effect.fnUntraced(function* (
    engine: Engine,
    { context, json, principal }: Asked
  ): Effect.fn.Return<ExportedRows, FqlError | RunError, Scope.Scope> {
    const compiled = yield* Effect.fromResult(compileQuestion(context, json, engine, EXPORT_LIMITS))
    // Before the export's own place, since it would otherwise need two.
    const other =
      compiled.other === null ? null : (yield* resultOf(principal.key, engine, compiled.other, false)).result.rows
    yield* exports.hold(principal.key)
    const cells = Stream.map(chunksOf(engine, compiled), ({ rows }) => cellsOf(compiled, rows))
    const exported = {
      columns: answerColumns(compiled),
      zone: compiled.planned.zone,
      rows: withFilledBuckets(compiled, atMost(EXPORT_LIMITS.bare, cells), { now: context.now, most: limits.grouped })
    }
    return yield* withFirstRows(
      other === null ? exported : withComparison(compiled, exported, shownRows(compiled.other!, other, context.now))
    )
  })

  const exportRows: Questions["Service"]["export"] = Effect.fnUntraced(function* (principal, json) {
    const asked = { principal, context: yield* contextFor(principal, json), json }
    return yield* onUsableEngine(engines, (engine) => inOwnScope(exportFrom(engine, asked)))
  })

  return Questions.of({
    ask,
    export: exportRows,
    check: Effect.fnUntraced(function* (principal, json) {
      const context = yield* contextFor(principal, json)
      return yield* Effect.fromResult(compileQuestion(context, json, ENGINES.postgres, limits))
    })
  })
})

/** Releases at once what a failed attempt holds, such as its place in the queue; otherwise it is held until the scope closes. */
const inOwnScope = <A, E, R>(
  attempt: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    return yield* Effect.onError(Scope.provide(attempt, scope), () => Scope.close(scope, Exit.void))
  })

/** An export's rows as the engine has them. DuckDB would keep all rows of a long list in memory to sort them. */
const chunksOf = (
  engine: Engine,
  { query, select, statement }: CompiledQuestion
): Stream.Stream<QueryChunk, QueryError> => {
  const maxRows = EXPORT_LIMITS.bare + 1
  const list = engine.model === "replica" ? slicedList(select) : null
  if (list === null) return engine.stream({ ...query, maxRows })
  return Stream.suspend(() => {
    const startedAt = performance.now()
    return readSlices(list, select.limit ?? maxRows, (one) =>
      Stream.unwrap(
        Effect.fromResult(statement(one)).pipe(
          Effect.mapBoth({
            onFailure: ({ detail }) => new QueryError({ reason: "TooLarge", message: detail }),
            onSuccess: (part) => engine.stream({ ...part, maxRows }, performance.now() - startedAt)
          })
        )
      )
    )
  })
}

/** Waits for the first rows, so that a question that fails gets a status instead of a file that breaks off. */
const withFirstRows = (exported: ExportedRows): Effect.Effect<ExportedRows, QueryError, Scope.Scope> =>
  Effect.gen(function* () {
    const pull = yield* Stream.toPull(exported.rows)
    const first = yield* Effect.catchTag(pull, "Done", () => Effect.succeed([[]] as const))
    return { ...exported, rows: Stream.concat(Stream.fromIterable(first), Stream.fromPull(Effect.succeed(pull))) }
  })

type Cells = ReadonlyArray<ReadonlyArray<Cell>>

/** The first rows of a stream. */
const atMost = <E>(limit: number, chunks: Stream.Stream<Cells, E>): Stream.Stream<Cells, E> =>
  Stream.suspend(() => {
    let remaining = limit
    return Stream.map(chunks, (rows) => {
      const kept = rows.slice(0, remaining)
      remaining -= kept.length
      return kept
    })
  })

/** Fills a series as an answer does, if all of it has as few rows as an answer may have; a longer one streams as it is. */
const withFilledBuckets = <E>(
  compiled: CompiledQuestion,
  chunks: Stream.Stream<Cells, E>,
  { most, now }: { readonly most: number; readonly now: Temporal.Instant }
): Stream.Stream<Cells, E> => {
  if (!compiled.planned.isGrouped) return chunks
  return Stream.suspend(() => {
    let held: Array<ReadonlyArray<Cell>> | null = []
    const passed = Stream.flatMap(chunks, (rows): Stream.Stream<Cells> => {
      if (held === null) return Stream.succeed(rows)
      held.push(...rows)
      if (held.length <= most) return Stream.empty
      const all = held
      held = null
      return Stream.succeed(all)
    })
    return Stream.concat(
      passed,
      Stream.suspend(() => (held === null ? Stream.empty : Stream.succeed(filledRows(compiled, held, now))))
    )
  })
}

/** Adds the columns of the comparison. */
const withComparison = (
  compiled: CompiledQuestion,
  { columns, rows, zone }: ExportedRows,
  other: ShownRows
): ExportedRows => {
  const partnerOf = pairRows(compiled, other)
  return {
    columns: [...columns, ...comparedColumns(columns)],
    zone,
    rows: Stream.suspend(() => {
      let index = 0
      return Stream.map(rows, (chunk) => chunk.map((row) => withPartner(columns, row, partnerOf(row, index++))))
    })
  }
}

export const layer: Layer.Layer<
  Questions,
  never,
  Asking | QuestionEngines | Sites | Metadata | Properties | SavedDefinitions | Settings
> = Layer.effect(Questions, make)
