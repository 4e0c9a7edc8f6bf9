import { Effect, Result } from "effect"
import type { CardBody } from "../../../domain/content/Card.ts"
import type { DashboardBody } from "../../../domain/content/Dashboard.ts"
import type { DashboardParameter } from "../../../domain/content/Parameter.ts"
import type { Cell } from "../../../query/answer.ts"
import { COMPARISONS } from "../../../query/compare/otherPeriod.ts"
import { FqlError } from "../../../query/fql/FqlError.ts"
import { type Clause, parseQuery, type Query } from "../../../query/fql/schema.ts"
import { applyParameters } from "../../../query/passes/applyParameters.ts"
import type { GivenValue } from "../../../query/passes/parameterValues.ts"
import { TRUNCATION_UNITS } from "../../../query/plan/plan.ts"
import type { AskError, GivenAnswer } from "../../../query/run/Questions.ts"

/** Values offered at once. More are found by searching. */
export const MAX_CHOICES = 1_000
/** Questions for the values of one parameter. Cards with the same rows share one; a dashboard with more kinds of cards offers fewer values. */
const MAX_QUESTIONS = 20
/** Fewer than a person may ask at once. */
const QUESTIONS_AT_ONCE = 2

/** A parameter whose values are asked for, on a dashboard with these cards. */
interface Choice {
  readonly body: DashboardBody
  readonly cards: ReadonlyMap<string, { readonly body: CardBody }>
  readonly parameter: DashboardParameter
  /** Only values that contain it. */
  readonly text: string | null
  readonly values: ReadonlyMap<string, GivenValue>
  /** Whether the person who asks can't change a parameter: rows with other values of it are not theirs to see. */
  readonly isFixed: (parameter: DashboardParameter) => boolean
}

/** Whether a parameter's value limits the choice of another one. */
const limits = (other: DashboardParameter, { isFixed, parameter }: Choice): boolean =>
  other.id !== parameter.id &&
  other.type !== "temporal-unit" &&
  other.type !== "compare" &&
  (other.type === "site" ||
    other.type.startsWith("date/") ||
    isFixed(other) ||
    parameter.filteringParameters?.includes(other.id) === true)

const conditionsOf = (clause: Clause | undefined): ReadonlyArray<Clause> => {
  if (clause === undefined) return []
  return clause[0] === "and" ? (clause.slice(1) as ReadonlyArray<Clause>).flatMap(conditionsOf) : [clause]
}

/** The question whose answer has the field's values in the rows of a card, the most frequent first. */
const choiceQuestion = (
  { compat, expressions, filter, joins, settings = {}, source }: Query,
  dimension: string | Clause,
  text: string | null
): Query => {
  const { compare: _, fill: __, other: ___, ...zone } = settings
  const conditions: ReadonlyArray<Clause> = [
    ["not-null", dimension],
    ...(text === null ? [] : [["contains", dimension, text] as const]),
    ...conditionsOf(filter)
  ]
  return {
    fql: 1,
    type: "query",
    ...(compat !== undefined && { compat }),
    source,
    ...(joins !== undefined && { joins }),
    ...(expressions !== undefined && { expressions }),
    filter: ["and", ...conditions],
    aggregation: [["count"]],
    breakout: [dimension],
    "order-by": [["desc", ["aggregation", 0]]],
    limit: MAX_CHOICES + 1,
    settings: { ...zone, fill: false }
  }
}

/** The questions for the rows of each card that the parameter is mapped to. */
const choiceQuestions = (choice: Choice): Result.Result<ReadonlyArray<Query>, FqlError> => {
  const { body, cards, parameter, text, values } = choice
  const found: Array<Query> = []
  for (const { card_id: id, parameter_mappings: mappings } of body.dashcards) {
    const card = cards.get(id ?? "")
    if (card === undefined) continue
    const parsed = parseQuery(card.body.dataset_query)
    if (Result.isFailure(parsed) || typeof parsed.success.source !== "string") continue
    const set = mappings.flatMap(({ parameter_id: otherId, target }) => {
      const other = body.parameters.find((one) => one.id === otherId)
      const value = values.get(otherId)
      return other === undefined || value === undefined || !limits(other, choice)
        ? []
        : [{ name: other.name, type: other.type, target, ...value }]
    })
    for (const { parameter_id: mappedId, target } of mappings) {
      if (mappedId !== parameter.id || target[0] !== "dimension") continue
      const asked = applyParameters(choiceQuestion(parsed.success, target[1] as string | Clause, text), set)
      if (Result.isFailure(asked)) return Result.fail(asked.failure)
      found.push(asked.success)
    }
  }
  return Result.succeed(withoutContained(found))
}

/** Leaves out what is only asked under more conditions than another question. */
const withoutContained = (questions: ReadonlyArray<Query>): ReadonlyArray<Query> => {
  const described = questions.map(({ filter, ...rest }) => ({
    rest: JSON.stringify(rest),
    conditions: new Set(conditionsOf(filter).map((condition) => JSON.stringify(condition)))
  }))
  return questions.filter((_, index) => {
    const { conditions, rest } = described[index]!
    return !described.some((wider, at) => {
      if (at === index || wider.rest !== rest || !wider.conditions.isSubsetOf(conditions)) return false
      return wider.conditions.size < conditions.size || at < index
    })
  })
}

/** The values of all answers, each once, the most frequent first. */
const unitedValues = (answers: ReadonlyArray<ReadonlyArray<ReadonlyArray<Cell>>>): ReadonlyArray<Cell> => {
  const counts = new Map<Cell, number>()
  for (const [value = null, count] of answers.flat()) {
    // Cards count the same events, so that a sum would count them twice.
    counts.set(value, Math.max(counts.get(value) ?? 0, Number(count)))
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([value]) => value)
}

/**
 * The choices of a parameter that is not about a field's values; null for one that is. A date has none to choose from: the times of single
 * events are more than cards show.
 */
const knownChoices = ({ temporal_units: units = [], type }: DashboardParameter): ReadonlyArray<string> | null => {
  if (type === "temporal-unit") return units.length > 0 ? units : TRUNCATION_UNITS
  if (type === "compare") return COMPARISONS
  return type.startsWith("date/") ? [] : null
}

/** A parameter's values in the rows that the dashboard's cards can show. Fails if the parameter applies to no field. */
export const parameterChoices = Effect.fnUntraced(function* (
  ask: (question: Query) => Effect.Effect<GivenAnswer, AskError>,
  choice: Choice
) {
  const { parameter, text } = choice
  const known = knownChoices(parameter)
  if (known !== null) {
    return {
      values: known.filter((one) => text === null || one.includes(text)).map((one) => [one]),
      has_more_values: false
    }
  }
  const questions = yield* Effect.fromResult(choiceQuestions(choice))
  if (questions.length === 0) {
    return yield* Effect.fail(
      new FqlError(
        "not-found",
        "",
        `The parameter "${choice.parameter.name}" applies to no field of a question on the dashboard.`
      )
    )
  }
  const results = yield* Effect.forEach(questions.slice(0, MAX_QUESTIONS), (question) => Effect.result(ask(question)), {
    concurrency: QUESTIONS_AT_ONCE
  })
  // A card that can't be asked shows nothing; the others do.
  const answers = results.flatMap((result) => (Result.isSuccess(result) ? [result.success.answer] : []))
  const failures = results.flatMap((result) => (Result.isFailure(result) ? [result.failure] : []))
  const failure = failures.find(({ _tag }) => _tag !== "FqlError") ?? failures[0]
  if (failure !== undefined && (answers.length === 0 || failure._tag !== "FqlError")) return yield* Effect.fail(failure)
  const values = unitedValues(answers.map(({ data }) => data.rows))
  return {
    values: values.slice(0, MAX_CHOICES).map((value) => [value]),
    has_more_values:
      values.length > MAX_CHOICES || questions.length > MAX_QUESTIONS || answers.some(({ truncated }) => truncated)
  }
})
