import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import type { QueryEngine, QueryError } from "../../../ports/QueryEngine.ts"
import { REQUEST_ID_HEADER } from "../../shared/requestId.ts"

const MESSAGES: Readonly<Record<Exclude<QueryError["reason"], "Missing" | "NoEngine">, string>> = {
  Unavailable: "The warehouse is unavailable; the server's log has the reason under the request's id.",
  Timeout: "The warehouse did not answer in time.",
  OutOfRange: "A number or a time that the question computes is too large.",
  TooLarge: "The query exceeds the warehouse's memory or row limit. Try a shorter range.",
  Invalid: "The warehouse rejected the query; the server's log has the reason under the request's id."
}

/** What a client may see of a failure. An engine's own message may contain host names, file names and SQL. */
export const publicMessage = (error: QueryError): string =>
  error.reason === "Missing" || error.reason === "NoEngine" ? error.message : MESSAGES[error.reason]

/** Logs the engine's own message with the request's id. */
export const logFailure = ({ dialect }: QueryEngine["Service"], { message, reason }: QueryError) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.logWarning("The warehouse query failed.").pipe(
      Effect.annotateLogs({ requestId: request.headers[REQUEST_ID_HEADER], warehouse: dialect, reason, why: message })
    )
  )
