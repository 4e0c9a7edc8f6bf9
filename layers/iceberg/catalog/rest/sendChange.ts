import { Effect } from "effect"
import { type IcebergError, nullIfNotFound } from "../../IcebergError.ts"
import type { Table, TableName } from "../Catalog.ts"
import { type Attempt, type Observation, resolveOutcome } from "../resolveOutcome.ts"
import { showName } from "../tableName.ts"
import { isServerError, responseFailure } from "./http.ts"
import type { RestSession } from "./restSession.ts"

/** A POST that creates or changes a table. */
export interface TableRequest {
  readonly path: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  /** Completes the error message: `create web.events`. */
  readonly action: string
  /** The table in a successful response. */
  readonly read: (body: unknown) => Effect.Effect<Table, IcebergError>
}

/** Sends the request once. */
export const attemptRequest = Effect.fnUntraced(function* (
  session: RestSession,
  { action, body, headers, path, read }: TableRequest
): Effect.fn.Return<Attempt<Table>, IcebergError> {
  const lost = ({ message }: { readonly message: string }): Attempt<Table> => ({ _tag: "Lost", message })
  const sent = yield* Effect.result(session.post(path, body, headers))
  if (sent._tag === "Failure") {
    return sent.failure.wasSent ? lost(sent.failure.error) : yield* sent.failure.error
  }
  const response = sent.success
  if (response.status === 200) {
    return yield* Effect.match(read(response.body), {
      onSuccess: (value): Attempt<Table> => ({ _tag: "Applied", value }),
      onFailure: lost
    })
  }
  const failure = responseFailure(response, session.host, action)
  if (response.status === 409) return { _tag: "Refused", message: failure.message }
  // 429 means that nothing was done; a 5xx only that something failed.
  return isServerError(response.status) ? lost(failure) : yield* failure
})

export interface TableChangeRequest {
  readonly name: TableName
  readonly send: Effect.Effect<Attempt<Table>, IcebergError>
  readonly load: Effect.Effect<Table, IcebergError>
  /** What the table (null: none exists) shows about the change. */
  readonly judge: (found: Table | null) => "applied" | "superseded" | "pending"
  /** The failure if another change came first. */
  readonly superseded: IcebergError
}

/** Sends a change, finds out what became of it and returns the changed table. */
export const sendChange = Effect.fnUntraced(function* ({
  judge,
  load,
  name,
  send,
  superseded
}: TableChangeRequest): Effect.fn.Return<Table, IcebergError> {
  const observe = Effect.fnUntraced(function* (
    isAmbiguous: boolean
  ): Effect.fn.Return<Observation<Table>, IcebergError> {
    const found = yield* nullIfNotFound(load)
    const verdict = judge(found)
    if (verdict === "applied" && found !== null) return { _tag: "Applied", value: found }
    // The server decides by the requirements: its refusal is final unless it answers a repetition of a lost request.
    return verdict === "superseded" || !isAmbiguous ? { _tag: "Superseded" } : { _tag: "Pending" }
  })
  const outcome = yield* resolveOutcome({ what: showName(name), send, observe })
  return outcome._tag === "Applied" ? outcome.value : yield* superseded
})
