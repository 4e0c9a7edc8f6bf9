import { Effect, Result } from "effect"
import type { ParameterTarget, ParameterType } from "../../../domain/content/Parameter.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { FqlError } from "../../../query/fql/FqlError.ts"
import { parseQuery } from "../../../query/fql/schema.ts"
import { applyParameters } from "../../../query/passes/applyParameters.ts"
import type { AskError, Questions } from "../../../query/run/Questions.ts"
import { type QuestionProblem, withQuestionProblems } from "../dataset/questionProblem.ts"
import { BadRequest } from "../problems.ts"

/** An error of a question within a body: the pointer leads to it from the body's root. */
export const inBody = (error: AskError, pointer: string): AskError =>
  error._tag === "FqlError" ? new FqlError(error.code, `${pointer}${error.pointer}`, error.detail) : error

/** What a question refers to and does not exist is an invalid body here, not a path without anything at it. */
const asInvalid = (problem: QuestionProblem): QuestionProblem => {
  if (problem._tag !== "NotFound") return problem
  const { code, detail = "", pointer } = problem
  return new BadRequest({ detail, ...(code !== undefined && { code }), ...(pointer !== undefined && { pointer }) })
}

/** Fails unless the question could be asked by the principal. `pointer` is the question's place in the body. */
export const checkQuestion = (
  questions: Questions["Service"],
  principal: Principal,
  { json, pointer }: { readonly json: unknown; readonly pointer: string }
) =>
  Effect.mapError(
    withQuestionProblems(Effect.mapError(questions.check(principal, json), (error) => inBody(error, pointer))),
    asInvalid
  )

/** A value of each kind of parameter, to check that its target exists and has the right type. Saved filters are not checked. */
const SAMPLES: Readonly<Record<ParameterType, string | number | boolean | ReadonlyArray<number> | null>> = {
  "date/all-options": "today",
  "date/range": "today",
  "date/single": "today",
  "date/relative": "today",
  "date/month-year": "today",
  "date/quarter-year": "today",
  "string/=": "a",
  "string/!=": "a",
  "string/contains": "a",
  "string/does-not-contain": "a",
  "string/starts-with": "a",
  "string/ends-with": "a",
  "number/=": 1,
  "number/!=": 1,
  "number/between": [1, 2],
  "number/>=": 1,
  "number/<=": 1,
  "boolean/=": true,
  id: "00000000-0000-4000-8000-000000000000",
  "temporal-unit": "day",
  site: null,
  segment: null,
  cohort: null,
  compare: "previous-period"
}

/** A parameter, what it applies to, and where the body says so. */
export interface Mapped {
  readonly name: string
  readonly type: ParameterType
  readonly target: ParameterTarget
  readonly pointer: string
}

/** Fails unless each parameter applies to something in the question. All are checked at once, and one by one if that fails. */
export const checkTargets = (
  questions: Questions["Service"],
  principal: Principal,
  { json, mapped }: { readonly json: unknown; readonly mapped: ReadonlyArray<Mapped> }
) =>
  Effect.gen(function* () {
    const query = parseQuery(json)
    if (Result.isFailure(query)) return
    const checkable = mapped.filter(({ type }) => SAMPLES[type] !== null)
    const checkSome = (some: ReadonlyArray<Mapped>) =>
      Effect.flatMap(
        Effect.fromResult(
          applyParameters(
            query.success,
            some.map((one) => ({ ...one, value: SAMPLES[one.type] }))
          )
        ),
        (applied) => questions.check(principal, applied)
      )
    if (checkable.length === 0) return
    yield* Effect.catch(checkSome(checkable), () =>
      Effect.forEach(checkable, (one) =>
        Effect.mapError(
          withQuestionProblems(
            Effect.mapError(checkSome([one]), (error) =>
              error._tag === "FqlError" ? new FqlError(error.code, one.pointer, targetDetail(one, error)) : error
            )
          ),
          asInvalid
        )
      )
    )
  })

const targetDetail = ({ name }: Mapped, { detail }: FqlError): string =>
  `The parameter "${name}" can't apply there: ${detail}`
