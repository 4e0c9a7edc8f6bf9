import { type Clock, Exit } from "effect"
import { thenDirect } from "../../lib/callbackEffect.ts"
import { Draft } from "../../pipeline/Draft.ts"
import type { PipelineEnv } from "../../pipeline/PipelineEnv.ts"
import { processPayload } from "../../pipeline/processPayload.ts"
import { issueToken } from "../../pipeline/readToken.ts"
import { success } from "./answers.ts"
import type { Endpoint } from "./exchange.ts"
import { siteOf } from "./fields.ts"
import type { CollectCounters } from "./metrics.ts"
import type { RejectionLog } from "./rejections.ts"
import { replyWith } from "./respond.ts"

/** What the endpoints share. */
export interface EndpointServices {
  readonly env: PipelineEnv["Service"]
  readonly clock: Clock.Clock
  readonly counters: CollectCounters
  readonly rejections: RejectionLog
}

/** `POST /api/send`: one payload, answered with its session, its visit and the session's token. */
export const sendEndpoint = ({ clock, counters, env, rejections }: EndpointServices, maxBytes: number): Endpoint => ({
  maxBytes,
  expects: "object",
  reply: (body, exchange) => {
    const { peer, request } = exchange
    const draft = new Draft(body, { headers: request.headers, peer }, clock.currentTimeMillisUnsafe())
    return thenDirect(processPayload(draft, env), (exit) => {
      const siteId = siteOf(body)
      if (Exit.isFailure(exit)) return Exit.succeed(replyWith(rejections.answer(exit, body, exchange), siteId))
      counters.accepted(draft.type)
      const token = issueToken(draft, env)
      return Exit.succeed({ answer: success(draft.visit, token), siteId, token })
    })
  }
})
