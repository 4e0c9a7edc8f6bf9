import { Clock, Effect, type Scope } from "effect"
import { PipelineEnv } from "../../pipeline/PipelineEnv.ts"
import type { Rejections } from "../../ports/Rejections.ts"
import { Settings } from "../../ports/Settings.ts"
import { Sites } from "../../ports/Sites.ts"
import {
  BODY_TIMEOUT_SECONDS,
  CORS_MAX_AGE,
  MAX_BATCH_BODY_BYTES,
  MAX_BATCH_ITEMS,
  MAX_BODY_BYTES
} from "../../settings/settings.ts"
import { requestIdOf } from "../shared/requestId.ts"
import type { Answer } from "./answers.ts"
import { batchEndpoint } from "./batch.ts"
import { BodyReader } from "./body.ts"
import { Cors } from "./cors.ts"
import { makeExchanges } from "./exchange.ts"
import type { CollectCounters } from "./metrics.ts"
import { makeRejectionLog } from "./rejections.ts"
import { Responder, replyWith } from "./respond.ts"
import { sendEndpoint } from "./send.ts"

/** What the collect endpoints need. */
export type CollectServices = PipelineEnv | Rejections | Settings | Sites

/** The collect endpoints as functions from request to response. They never throw, and always end. */
export interface Collect {
  /** `peer` is the IP address at the other end of the connection. */
  readonly send: (request: Request, peer: string) => Promise<Response>
  readonly batch: (request: Request, peer: string) => Promise<Response>
  /** `allow`: the methods that the path supports. */
  readonly preflight: (request: Request, allow: string) => Response
  readonly methodNotAllowed: (request: Request, allow: string) => Response
  /** A response that is not about a payload, with the headers that all responses have. */
  readonly plain: (request: Request, answer: Answer) => Response
  readonly inFlight: () => number
  /** From now on, responses ask clients to close their connection. */
  readonly drain: () => void
}

export const makeCollect: (counters: CollectCounters) => Effect.Effect<Collect, never, CollectServices | Scope.Scope> =
  Effect.fnUntraced(function* (counters) {
    const { get } = yield* Settings
    const env = yield* PipelineEnv
    const clock = yield* Clock.Clock
    const rejections = yield* makeRejectionLog(counters)
    const responder = new Responder(new Cors(yield* Sites, get(CORS_MAX_AGE)))
    const bodies = yield* Effect.acquireRelease(
      Effect.sync(() => new BodyReader(get(BODY_TIMEOUT_SECONDS) * 1000)),
      (reader) => Effect.sync(() => reader.close())
    )
    const { handle, inFlight } = yield* makeExchanges(bodies, rejections, responder)
    const services = { env, clock, counters, rejections }
    const exchange = (request: Request) => ({ request, id: requestIdOf(request), peer: "" })
    return {
      send: handle(sendEndpoint(services, get(MAX_BODY_BYTES))),
      batch: handle(batchEndpoint(services, { maxBytes: get(MAX_BATCH_BODY_BYTES), maxItems: get(MAX_BATCH_ITEMS) })),
      preflight: (request, allow) => responder.preflight(exchange(request), allow),
      methodNotAllowed: (request, allow) => responder.methodNotAllowed(exchange(request), allow),
      plain: (request, answer) => responder.respond(exchange(request), replyWith(answer)),
      inFlight,
      drain: () => responder.drain()
    }
  })
