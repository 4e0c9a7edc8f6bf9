import { Cause, Effect, Exit } from "effect"
import { type Fork, runDirect } from "../../lib/callbackEffect.ts"
import { wrongType } from "../../pipeline/payload.ts"
import { requestIdOf } from "../shared/requestId.ts"
import * as answers from "./answers.ts"
import type { BodyFailure, BodyReader } from "./body.ts"
import { makeMicroBatch } from "./microBatch.ts"
import type { RejectionLog } from "./rejections.ts"
import { type Exchange, type Reply, type Responder, replyWith } from "./respond.ts"

/** Requests answered at the same time; beyond it, clients get 503 immediately. Each holds a body and a socket. */
const MAX_REQUESTS_IN_FLIGHT = 20_000

/** One endpoint: the bodies it accepts, and its reply to one of them. */
export interface Endpoint {
  readonly maxBytes: number
  /** The JSON type that a body must have, in zod's words. */
  readonly expects: "object" | "array"
  readonly reply: (body: unknown, exchange: Exchange) => Effect.Effect<Reply>
}

/** Takes requests to endpoints. Every request is answered exactly once, whatever happens. */
export interface Exchanges {
  readonly handle: (endpoint: Endpoint) => (request: Request, peer: string) => Promise<Response>
  readonly inFlight: () => number
}

export const makeExchanges = Effect.fnUntraced(function* (
  bodies: BodyReader,
  rejections: RejectionLog,
  responder: Responder
): Effect.fn.Return<Exchanges> {
  const fork: Fork = Effect.runForkWith(yield* Effect.context<never>())
  const inMicroBatch = makeMicroBatch()
  let inFlight = 0

  const respond = (reply: Exit.Exit<Reply>, exchange: Exchange): Response => {
    try {
      return responder.respond(
        exchange,
        Exit.isSuccess(reply) ? reply.value : replyWith(rejections.unexpected(reply.cause, exchange))
      )
    } catch (defect) {
      return responder.respond(exchange, replyWith(rejections.unexpected(defect, exchange)))
    }
  }

  const replyTo = (endpoint: Endpoint, body: unknown, exchange: Exchange): Effect.Effect<Reply> => {
    try {
      return endpoint.reply(body, exchange)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  const withoutBody = (cause: Cause.Cause<BodyFailure>, endpoint: Endpoint, exchange: Exchange): Response => {
    const failure = Cause.findErrorOption(cause)
    return failure._tag === "Some"
      ? bodyFailed(failure.value, endpoint, exchange)
      : responder.respond(exchange, replyWith(rejections.unexpected(cause, exchange)))
  }

  /** The response to a request without a usable body. */
  const bodyFailed = ({ reason }: BodyFailure, { expects, maxBytes }: Endpoint, exchange: Exchange): Response => {
    const reject = (rejected: "BodyTooLarge" | "BodyTimeout" | "InvalidPayload", detail: string) =>
      rejections.record({ reason: rejected, detail }, undefined, exchange)
    switch (reason) {
      case "TooLarge":
        reject("BodyTooLarge", `larger than ${maxBytes} bytes`)
        return responder.respond(exchange, replyWith(answers.bodyTooLarge(maxBytes)))
      case "Timeout":
        reject("BodyTimeout", "the body did not arrive in time")
        return responder.respond(exchange, replyWith(answers.bodyTimeout))
      case "Busy":
        return responder.respond(exchange, replyWith(answers.overloaded))
      case "Malformed":
        reject("InvalidPayload", "the body is not JSON")
        return responder.respond(exchange, replyWith(answers.badRequest({ errors: [wrongType(expects, undefined)] })))
      case "Gone":
        return new Response(null, { status: 499 })
    }
  }

  return {
    inFlight: () => inFlight,
    handle: (endpoint) => (request, peer) =>
      new Promise((resolve) => {
        const exchange: Exchange = { request, id: requestIdOf(request), peer }
        if (inFlight >= MAX_REQUESTS_IN_FLIGHT)
          return resolve(responder.respond(exchange, replyWith(answers.overloaded)))
        inFlight++
        const finish = (response: Response) => {
          inFlight--
          resolve(response)
        }
        runDirect(bodies.read(request, endpoint.maxBytes), fork, (body) => {
          if (Exit.isFailure(body)) return finish(withoutBody(body.cause, endpoint, exchange))
          inMicroBatch(() => {
            runDirect(replyTo(endpoint, body.value, exchange), fork, (reply) => finish(respond(reply, exchange)))
          })
        })
      })
  }
})
