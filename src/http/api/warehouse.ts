import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import type { QueryEngine, QueryError } from "../../ports/QueryEngine.ts"
import { REQUEST_ID_HEADER } from "../shared/requestId.ts"

const SENTENCES: Readonly<Record<Exclude<QueryError["reason"], "Missing">, string>> = {
  Unavailable: "The warehouse can't be asked now; the server's log says why, under the request's id.",
  Timeout: "The warehouse had no answer in time.",
  TooLarge: "The question takes more memory or rows than the warehouse may use. Ask for a shorter range.",
  Invalid: "The warehouse does not take the question; the server's log says why, under the request's id."
}

/** A failure as any reader of the API may see it: an engine's own words may tell of hosts, files and SQL. */
export const toldOf = (error: QueryError): string =>
  error.reason === "Missing" ? error.message : SENTENCES[error.reason]

/** Logs what the engine said, with the request's id. */
export const logFailure = ({ dialect }: QueryEngine["Service"], { message, reason }: QueryError) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.logWarning("The warehouse did not answer.").pipe(
      Effect.annotateLogs({ requestId: request.headers[REQUEST_ID_HEADER], warehouse: dialect, reason, why: message })
    )
  )
