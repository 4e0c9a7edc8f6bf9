import { Effect, Result, Schema } from "effect"
import { MAX_PARAMETERS, ParameterTarget, ParameterType, ParameterValue } from "../../../domain/content/Parameter.ts"
import { FqlError } from "../../../query/fql/FqlError.ts"
import { parseQuery } from "../../../query/fql/schema.ts"
import { applyParameters } from "../../../query/passes/applyParameters.ts"

/** Values of parameters that a question is sent with, as a card on a dashboard that is not saved. */
const Parameters = Schema.Array(
  Schema.Struct({
    type: ParameterType,
    target: ParameterTarget,
    value: ParameterValue,
    id: Schema.optionalKey(Schema.String),
    name: Schema.optionalKey(Schema.String),
    slug: Schema.optionalKey(Schema.String)
  })
).check(Schema.isMaxLength(MAX_PARAMETERS))

const decode = Schema.decodeUnknownResult(Parameters)

const malformed = () =>
  new FqlError(
    "bad-ast",
    "/parameters",
    `Give at most ${MAX_PARAMETERS} parameters such as {"type": "date/all-options", "target": ["dimension", ["field", "created_at"]], "value": "past7days"}.`
  )

/** The question with the values of its `parameters`, which are not part of the language. What is not a question stays as it is. */
export const withParameters = (json: unknown): Effect.Effect<unknown, FqlError> => {
  if (typeof json !== "object" || json === null || Array.isArray(json) || !("parameters" in json)) {
    return Effect.succeed(json)
  }
  const { parameters, ...question } = json
  const query = parseQuery(question)
  if (Result.isFailure(query)) return Effect.succeed(question)
  const given = decode(parameters)
  if (Result.isFailure(given)) return Effect.fail(malformed())
  return Effect.fromResult(
    applyParameters(
      query.success,
      given.success.map(({ id, name = id, target, type, value }, index) => ({
        name: name ?? type,
        type,
        target,
        value,
        pointer: `/parameters/${index}/value`
      }))
    )
  )
}
