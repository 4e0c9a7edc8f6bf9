import { Cause, Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import type { StorageError } from "../domain/StorageError.ts"
import { thenDirect } from "../lib/callbackEffect.ts"
import { eventRecord, sessionRecord } from "./records.ts"
import type { Step } from "./Step.ts"

/** Builds the draft's record and stores it. Succeeds once the record is durable. */
export const store: Step = (draft, { storage }) =>
  thenDirect(
    draft.type === "identify"
      ? storage.saveIdentity({
          session: sessionRecord(draft),
          properties: draft.properties,
          createdAt: draft.createdAt
        })
      : storage.saveEvent(eventRecord(draft)),
    toRejection
  )

/** When a client should retry. */
const RETRY_AFTER_SECONDS = { Overloaded: 1, Unavailable: 5 } as const

const toRejection = (saved: Exit.Exit<void, StorageError>): Exit.Exit<void, Rejection> => {
  if (Exit.isSuccess(saved)) return Exit.void
  const error = Cause.findErrorOption(saved.cause)
  return error._tag === "Some" ? Exit.fail(rejectionOf(error.value)) : Exit.die(Cause.squash(saved.cause))
}

const rejectionOf = ({ message, reason }: StorageError): Rejection =>
  reason === "Refused"
    ? Rejection.Refused({ message })
    : Rejection.Unavailable({ reason, retryAfterSeconds: RETRY_AFTER_SECONDS[reason] })
