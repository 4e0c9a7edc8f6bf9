import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { VIEW_NAMES } from "../../../query/metadata/views.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { UnprocessableContent } from "../problems.ts"

const EXAMPLE = 'CountIf([Event name] = "signup") / Distinct([Session ID])'

const Clause = Schema.Unknown.annotate({
  description: "A clause of FQL/1",
  examples: [["/", ["count-where", ["=", ["field", "event_name"], "signup"]], ["distinct", ["field", "session_id"]]]]
})

const Sentence = Schema.String.annotate({ examples: ["count of signup by plan over last 30 days"] })
const Question = Schema.Unknown.annotate({ description: "A question in FQL/1" })

export class FormulaApi extends HttpApiGroup.make("formula")
  .add(
    HttpApiEndpoint.post("parse", "/api/formula/parse", {
      payload: Schema.Struct({
        text: Schema.String.annotate({ examples: [EXAMPLE] }),
        source: Schema.optionalKey(
          Schema.String.annotate({
            description: `Whose fields it names: ${VIEW_NAMES.map((name) => `\`${name}\``).join(", ")}; default: \`v_pa_events\``,
            examples: ["v_pa_events"]
          })
        ),
        expressions: Schema.optionalKey(
          Schema.Array(Schema.String).annotate({ description: "Names of the question's custom columns" })
        )
      }),
      success: Schema.Struct({ clause: Clause }),
      error: UnprocessableContent
    })
      .annotateMerge(requires("read", "questions"))
      .annotateMerge(
        endpointDocs(
          "Read a formula",
          "The clause that a formula stands for, as a custom column, a condition or an aggregation. 422 says at which line and column it is not understood."
        )
      ),
    HttpApiEndpoint.post("print", "/api/formula/print", {
      payload: Schema.Struct({ clause: Clause }),
      success: Schema.Struct({
        text: Schema.NullOr(Schema.String).annotate({
          description: "The formula; null if the clause has options that a formula cannot express",
          examples: [EXAMPLE]
        })
      })
    })
      .annotateMerge(requires("read", "questions"))
      .annotateMerge(endpointDocs("Print a clause as a formula")),
    HttpApiEndpoint.post("parseSentence", "/api/sentence/parse", {
      payload: Schema.Struct({ text: Sentence }),
      success: Schema.Struct({ question: Question }),
      error: UnprocessableContent
    })
      .annotateMerge(requires("read", "questions"))
      .annotateMerge(
        endpointDocs(
          "Read a question in a sentence",
          "The question that the sentence asks, for `POST /api/dataset`. 422 says at which character it is not understood, and what to write."
        )
      ),
    HttpApiEndpoint.post("printSentence", "/api/sentence/print", {
      payload: Schema.Struct({ question: Question }),
      success: Schema.Struct({
        text: Schema.NullOr(Sentence).annotate({
          description: "The sentence; null if the question says more than a sentence can"
        })
      })
    })
      .annotateMerge(requires("read", "questions"))
      .annotateMerge(endpointDocs("Print a question as a sentence"))
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Formulas and sentences",
      description: "Other ways to write parts of a question, or a whole one; docs/questions.md describes both."
    })
  ) {}
