import { Exit } from "effect"
import { type ErrorTree, Rejection } from "../../domain/Rejection.ts"
import { allDirect, suspendDirect, thenDirect } from "../../lib/callbackEffect.ts"
import { Draft, type RequestContext } from "../../pipeline/Draft.ts"
import { receivedType, wrongType } from "../../pipeline/payload.ts"
import { processPayload } from "../../pipeline/processPayload.ts"
import { issueToken } from "../../pipeline/readToken.ts"
import { type Answer, badRequest, batchTooLong, rejectionAnswer } from "./answers.ts"
import type { Endpoint } from "./exchange.ts"
import { siteOf } from "./fields.ts"
import { replyWith } from "./respond.ts"
import type { EndpointServices } from "./send.ts"

export interface BatchLimits {
  readonly maxBytes: number
  readonly maxItems: number
}

/** `POST /api/batch`: an array of bodies of `/api/send`, processed in order and written together. */
export const batchEndpoint = (services: EndpointServices, { maxBytes, maxItems }: BatchLimits): Endpoint => {
  const { clock, counters, env, rejections } = services

  const summarize = (exits: ReadonlyArray<Exit.Exit<void, Rejection>>, batch: Batch): Answer => {
    const details: Array<{ readonly index: number; readonly response: object }> = []
    let cache: string | null = null
    let ignored = 0
    let retryAfterSeconds = 0
    exits.forEach((exit, index) => {
      const draft = batch.drafts[index]!
      if (Exit.isSuccess(exit)) {
        counters.accepted(draft.type)
        cache ??= issueToken(draft, env)
        return
      }
      const answer = rejections.answer(exit, draft.body, batch.exchange)
      if (answer.status === 200) ignored++
      else {
        details.push({ index, response: answer.body })
        if (answer.status === 503) retryAfterSeconds = Math.max(retryAfterSeconds, answer.retryAfterSeconds ?? 1)
      }
    })
    const processed = exits.length - details.length
    const body = { size: exits.length, processed, errors: details.length, details, cache, ignored }
    // When the storage took nothing, the client should send the whole batch again.
    return processed === 0 && retryAfterSeconds > 0 ? { status: 503, body, retryAfterSeconds } : { status: 200, body }
  }

  return {
    maxBytes,
    expects: "array",
    reply: (body, exchange) => {
      if (!env.gate.isOn()) return Exit.succeed(replyWith(rejectionAnswer(Rejection.Disabled())))
      const invalid = batchErrors(body)
      if (invalid !== null) {
        const detail = "the batch is not an array of objects"
        rejections.record({ reason: "InvalidPayload", detail }, undefined, exchange)
        return Exit.succeed(replyWith(badRequest(invalid)))
      }
      const items = body as ReadonlyArray<unknown>
      if (items.length > maxItems) {
        rejections.record({ reason: "BodyTooLarge", detail: `more than ${maxItems} items` }, undefined, exchange)
        return Exit.succeed(replyWith(batchTooLong(maxItems)))
      }
      const context: RequestContext = { headers: exchange.request.headers, peer: exchange.peer, derived: new Map() }
      const drafts = items.map((item) => new Draft(item, context, clock.currentTimeMillisUnsafe()))
      // Each record is in the storage, or refused by it, before the next is built: if a session's first record is refused, the next
      // one carries the session's row.
      const processed = allDirect(drafts.map((draft) => suspendDirect(() => processPayload(draft, env))))
      return thenDirect(processed, (exits) =>
        Exit.map(exits, (all) => replyWith(summarize(all, { drafts, exchange }), siteOf(items[0])))
      )
    }
  }
}

interface Batch {
  readonly drafts: ReadonlyArray<Draft>
  readonly exchange: Parameters<Endpoint["reply"]>[1]
}

/** zod's errors of a batch that is not an array of objects; null if it is one. */
const batchErrors = (body: unknown): ErrorTree | null => {
  if (!Array.isArray(body)) return { errors: [wrongType("array", body)] }
  const items = body.map((item) => (receivedType(item) === "object" ? null : { errors: [wrongType("record", item)] }))
  return items.some((item) => item !== null) ? { errors: [], items } : null
}
