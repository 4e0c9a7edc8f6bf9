import { Effect } from "effect"
import type { Principal } from "../../../domain/Principal.ts"
import { type Clause, isClause, parseQuery, type Query } from "../../../query/fql/schema.ts"
import type { Questions } from "../../../query/run/Questions.ts"
import { withQuestionProblems } from "../dataset/questionProblem.ts"
import { BadRequest } from "../problems.ts"

/** JSON in a path, in base64url; undefined if it is not that. */
const fromBase64 = (given: string): unknown => {
  if (!/^[\w-]+={0,2}$/.test(given)) return undefined
  try {
    const bytes = Uint8Array.fromBase64(given.replace(/=+$/, ""), { alphabet: "base64url" })
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

const notJson = (name: string) =>
  new BadRequest({ detail: `\`${name}\` must be JSON in base64url.`, code: "bad-ast", pointer: "" })

/** A question in a path. Fails unless the principal could ask it. */
export const questionIn = Effect.fnUntraced(function* (
  questions: Questions["Service"],
  principal: Principal,
  given: { readonly name: string; readonly value: string }
) {
  const json = fromBase64(given.value)
  if (json === undefined) return yield* notJson(given.name)
  return yield* checkedQuestion(questions, principal, json)
})

/** A question, and the titles of what it computes. */
export interface CheckedQuestion {
  readonly query: Query
  readonly titles: ReadonlyArray<string>
}

export const checkedQuestion = (questions: Questions["Service"], principal: Principal, json: unknown) =>
  withQuestionProblems(
    Effect.gen(function* (): Effect.gen.Return<CheckedQuestion, Effect.Error<ReturnType<typeof questions.check>>> {
      const { planned } = yield* questions.check(principal, json)
      const query = yield* Effect.fromResult(parseQuery(json))
      const titles = planned.columns.filter(({ source }) => source === "aggregation").map(({ display }) => display)
      return { query, titles }
    })
  )

/** A condition in a path; it is checked with the question that it becomes a part of. */
export const conditionIn = (given: string): Effect.Effect<Clause, BadRequest> => {
  const json = fromBase64(given)
  return isClause(json) ? Effect.succeed(json) : Effect.fail(notJson("cell"))
}
