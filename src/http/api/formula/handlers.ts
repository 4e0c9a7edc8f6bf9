import { Effect, Result } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { parseFormula } from "../../../query/formula/parse.ts"
import { printFormula } from "../../../query/formula/print.ts"
import { parseQuery } from "../../../query/fql/schema.ts"
import { findView, knownViews } from "../../../query/metadata/views.ts"
import { parseSentence } from "../../../query/sentence/parse.ts"
import { printSentence } from "../../../query/sentence/print.ts"
import { AdminApi } from "../AdminApi.ts"
import { UnprocessableContent } from "../problems.ts"

const wrong = (detail: string, part: "text" | "source" = "text") =>
  new UnprocessableContent({ detail, errors: [{ pointer: `#/${part}`, detail }] })

export const FormulaHandlers = HttpApiBuilder.group(AdminApi, "formula", (handlers) =>
  Effect.succeed(
    handlers.handleAll({
      parse: ({ payload: { expressions = [], source = "v_pa_events", text } }) => {
        const view = findView(source)
        if (view === undefined) return Effect.fail(wrong(`\`${source}\` is not a view.${knownViews(source)}`, "source"))
        return Effect.fromResult(parseFormula(text, { source: view.name, expressions })).pipe(
          Effect.mapBoth({
            onSuccess: (clause) => ({ clause }),
            onFailure: ({ column, detail, line }) => wrong(`Line ${line}, column ${column}: ${detail}`)
          })
        )
      },
      print: ({ payload }) => Effect.succeed({ text: printFormula(payload.clause) }),
      parseSentence: ({ payload: { text } }) =>
        Effect.fromResult(parseSentence(text)).pipe(
          Effect.mapBoth({
            onSuccess: (question) => ({ question }),
            onFailure: ({ at, detail }) => wrong(`At character ${at}: ${detail}`)
          })
        ),
      printSentence: ({ payload: { question } }) =>
        Effect.succeed({
          text: Result.match(parseQuery(question), { onSuccess: printSentence, onFailure: () => null })
        })
    })
  )
)
