import { Cause, Clock, Effect, type Exit } from "effect"
import type { Rejection, RejectionReason } from "../../domain/Rejection.ts"
import type { Fork } from "../../lib/callbackEffect.ts"
import { Rejections } from "../../ports/Rejections.ts"
import { Sites } from "../../ports/Sites.ts"
import { type ErrorAnswer, rejectionAnswer, rejectionDetail, serverError } from "./answers.ts"
import { fieldOf, siteOf } from "./fields.ts"
import type { CollectCounters } from "./metrics.ts"
import type { Exchange } from "./respond.ts"

/** Characters of a client's string that the live view shows. */
const MAX_SHOWN = 200
/** Longer URLs are cut before they are parsed. */
const MAX_URL = 2_000

/** Why a body was rejected, in one line that contains nothing the client sent. */
interface Reason {
  readonly reason: RejectionReason
  readonly detail: string
}

/** Counts rejections and keeps the latest ones of each site for the live view. */
export interface RejectionLog {
  readonly record: (reason: Reason, body: unknown, exchange: Exchange) => void
  /** Records a failed payload; the result is what its client gets. A defect is logged instead and becomes a 500. */
  readonly answer: (exit: Exit.Failure<void, Rejection>, body: unknown, exchange: Exchange) => ErrorAnswer
  /** Logs a defect with the request's id. */
  readonly unexpected: (defect: unknown, exchange: Exchange) => ErrorAnswer
}

export const makeRejectionLog = Effect.fnUntraced(function* (counters: CollectCounters) {
  const sites = yield* Sites
  const rejections = yield* Rejections
  const clock = yield* Clock.Clock
  const fork: Fork = Effect.runForkWith(yield* Effect.context<never>())

  const record: RejectionLog["record"] = ({ detail, reason }, body, { request }) => {
    const payload = fieldOf(body, "payload")
    const siteId = siteOf(body)
    const registered = siteId !== null && sites.find(siteId) !== undefined ? siteId : null
    counters.rejected(reason, registered)
    rejections.add(registered, {
      at: clock.currentTimeMillisUnsafe(),
      reason,
      detail,
      hostname: shown(fieldOf(payload, "hostname")),
      urlPath: shownPath(fieldOf(payload, "url")),
      userAgent: shown(fieldOf(payload, "userAgent") ?? request.headers.get("user-agent"))
    })
  }

  const unexpected: RejectionLog["unexpected"] = (defect, { id }) => {
    fork(Effect.logError("Unexpected failure", defect).pipe(Effect.annotateLogs({ requestId: id })))
    return serverError
  }

  const answer: RejectionLog["answer"] = ({ cause }, body, exchange) => {
    const rejection = Cause.findErrorOption(cause)
    if (rejection._tag === "None") return unexpected(cause, exchange)
    record({ reason: rejection.value._tag, detail: rejectionDetail(rejection.value) }, body, exchange)
    return rejectionAnswer(rejection.value)
  }

  return { record, answer, unexpected } satisfies RejectionLog
})

const shown = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value.substring(0, MAX_SHOWN).toWellFormed() : null

/** Without query and hash, which may hold personal data. */
const shownPath = (value: unknown): string | null =>
  typeof value === "string"
    ? shown(URL.parse(value.substring(0, MAX_URL), "https://localhost")?.pathname ?? null)
    : null
