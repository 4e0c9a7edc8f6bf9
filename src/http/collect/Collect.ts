import { gzipSync } from "node:zlib"
import { Cause, Clock, type Context, Effect, Exit, type Scope } from "effect"
import type { ErrorTree, Rejection, RejectionReason } from "../../domain/Rejection.ts"
import type { StorageError } from "../../domain/StorageError.ts"
import { runDirect } from "../../lib/callbackEffect.ts"
import type { Policy } from "../../pipeline/Policy.ts"
import { receivedType, wrongType } from "../../pipeline/payload.ts"
import { type Accepted, makeProcessPayload, type Processed, storageRejection } from "../../pipeline/processPayload.ts"
import type { RequestContext } from "../../pipeline/resolveClient.ts"
import { FeatureGate } from "../../ports/FeatureGate.ts"
import type { Geo } from "../../ports/Geo.ts"
import type { RateLimiter } from "../../ports/RateLimiter.ts"
import { Rejections } from "../../ports/Rejections.ts"
import { Settings } from "../../ports/Settings.ts"
import { Sites } from "../../ports/Sites.ts"
import type { Storage } from "../../ports/Storage.ts"
import {
  BODY_TIMEOUT_SECONDS,
  CORS_MAX_AGE,
  MAX_BATCH_BODY_BYTES,
  MAX_BATCH_ITEMS,
  MAX_BODY_BYTES
} from "../../settings/settings.ts"
import { REQUEST_ID_HEADER, requestIdOf } from "../shared/requestId.ts"
import * as answers from "./answers.ts"
import { BodyFailure, BodyReader } from "./body.ts"
import { Cors } from "./cors.ts"
import { countAccepted, rejectedBy } from "./metrics.ts"
import { makeTurn } from "./turn.ts"

/** Requests that may be answered at the same time; past it clients get 503 at once. Each holds a body and a socket. */
const MAX_REQUESTS_IN_FLIGHT = 20_000

/** Answers from this size on are compressed for clients that take gzip; smaller ones fit a packet anyway. */
const GZIP_FROM_BYTES = 1_024

/** What a payload's steps need, besides the request. */
export type CollectServices = FeatureGate | Geo | Policy | RateLimiter | Rejections | Sites | Storage

/** What came of a payload. */
type Settled = Exit.Exit<Accepted, Rejection>

/** The collect endpoints as functions from request to response. They never throw and always end. */
export interface Collect {
  readonly send: (request: Request, peer: string) => Promise<Response>
  readonly batch: (request: Request, peer: string) => Promise<Response>
  readonly preflight: (request: Request) => Response
  /** An answer of this server that is not about a payload, with the headers that all answers have. */
  readonly plain: (request: Request, answer: answers.Answer) => Response
  readonly wrongMethod: (request: Request) => Response
  readonly inFlight: () => number
  /** From now on answers ask clients to close their connection. */
  readonly drain: () => void
}

export const makeCollect: Effect.Effect<Collect, never, CollectServices | Settings | Scope.Scope> = Effect.gen(
  function* () {
    const settings = yield* Settings
    const sites = yield* Sites
    const gate = yield* FeatureGate
    const rejections = yield* Rejections
    const clock = yield* Clock.Clock
    const context: Context.Context<CollectServices> = yield* Effect.context<CollectServices>()
    const fork = Effect.runForkWith(context)
    const processPayload = yield* makeProcessPayload
    const cors = new Cors(sites, settings.get(CORS_MAX_AGE))
    const maxBody = settings.get(MAX_BODY_BYTES)
    const maxBatchBody = settings.get(MAX_BATCH_BODY_BYTES)
    const maxItems = settings.get(MAX_BATCH_ITEMS)
    const reader = yield* Effect.acquireRelease(
      Effect.sync(() => new BodyReader(settings.get(BODY_TIMEOUT_SECONDS) * 1000)),
      (open) => Effect.sync(() => open.close())
    )
    const turn = makeTurn()
    let inFlight = 0
    let draining = false

    const respond = (
      exchange: Exchange,
      answer: answers.Answer,
      siteId: string | null,
      token: string | null
    ): Response => {
      const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body)
      const response = new Response(compress(exchange, text), {
        status: answer.status,
        headers: cors.headers(siteId, exchange.request.headers.get("origin"), true)
      })
      const headers = response.headers
      headers.set(REQUEST_ID_HEADER, exchange.id)
      if (token !== null) headers.set("x-umami-cache", token)
      if (answer.retryAfterSeconds !== undefined) headers.set("retry-after", String(answer.retryAfterSeconds))
      if (draining || answer.status === 408 || answer.status === 413) headers.set("connection", "close")
      if (text.length >= GZIP_FROM_BYTES) {
        headers.append("vary", "Accept-Encoding")
        if (acceptsGzip(exchange.request)) headers.set("content-encoding", "gzip")
      }
      return response
    }

    const compress = (exchange: Exchange, text: string): string | Uint8Array<ArrayBuffer> =>
      text.length >= GZIP_FROM_BYTES && acceptsGzip(exchange.request) ? gzipSync(text) : text

    const note = (reason: RejectionReason, detail: string, body: unknown, exchange: Exchange): void => {
      const payload = field(body, "payload")
      const siteId = siteOf(payload)
      const registered = siteId !== null && sites.find(siteId) !== undefined ? siteId : null
      rejectedBy(reason, registered ?? "").updateUnsafe(1, context)
      rejections.add(registered, {
        at: clock.currentTimeMillisUnsafe(),
        reason,
        detail,
        hostname: shown(field(payload, "hostname")),
        urlPath: pathShown(field(payload, "url")),
        userAgent: shown(field(payload, "userAgent") ?? exchange.request.headers.get("user-agent"))
      })
    }

    /** What did not get into the storage, as an answer; it is noted here. */
    const refused = (exit: Exit.Failure<Accepted, Rejection>, body: unknown, exchange: Exchange): answers.Refusal => {
      const rejection = Cause.findErrorOption(exit.cause)
      if (rejection._tag === "Some") {
        note(rejection.value._tag, answers.rejectionDetail(rejection.value), body, exchange)
        return answers.rejectionAnswer(rejection.value)
      }
      fork(Effect.logError("Unexpected failure", exit.cause).pipe(Effect.annotateLogs({ requestId: exchange.id })))
      return answers.serverError
    }

    const failedBody = (failure: BodyFailure, exchange: Exchange, limit: number, expected: string): Response => {
      switch (failure.reason) {
        case "TooLarge":
          note("BodyTooLarge", `larger than ${limit} bytes`, undefined, exchange)
          return respond(exchange, answers.bodyTooLarge(limit), null, null)
        case "Timeout":
          note("BodyTimeout", "the body did not arrive in time", undefined, exchange)
          return respond(exchange, answers.bodyTimeout, null, null)
        case "Busy":
          return respond(exchange, answers.overloaded, null, null)
        case "Malformed":
          note("InvalidPayload", "the body is not JSON", undefined, exchange)
          return respond(exchange, answers.badRequest({ errors: [wrongType(expected, undefined)] }), null, null)
        case "Gone":
          return new Response(null, { status: 499 })
      }
    }

    const unexpected = (defect: unknown, exchange: Exchange): Response => {
      fork(Effect.logError("Unexpected failure", defect).pipe(Effect.annotateLogs({ requestId: exchange.id })))
      return respond(exchange, answers.serverError, null, null)
    }

    /** Counts the request, reads its body, and answers it whatever happens; `answer` finishes it once, or throws. */
    const answering = (
      request: Request,
      limit: number,
      expected: string,
      answer: (body: unknown, exchange: Exchange, finish: Finish) => void
    ): Promise<Response> =>
      new Promise((resolve) => {
        const exchange: Exchange = { request, id: requestIdOf(request) }
        if (inFlight >= MAX_REQUESTS_IN_FLIGHT) return resolve(respond(exchange, answers.overloaded, null, null))
        inFlight++
        const finish: Finish = (response) => {
          inFlight--
          try {
            resolve(response())
          } catch (defect) {
            resolve(unexpected(defect, exchange))
          }
        }
        reader.read(request, limit, (body) => {
          if (body instanceof BodyFailure) return finish(() => failedBody(body, exchange, limit, expected))
          turn(() => {
            try {
              answer(body, exchange, finish)
            } catch (defect) {
              finish(() => unexpected(defect, exchange))
            }
          })
        })
      })

    const exitOf = (body: unknown, of: RequestContext): Exit.Exit<Processed, Rejection> => {
      try {
        return processPayload(body, of)
      } catch (defect) {
        return Exit.die(defect)
      }
    }

    const settle = (body: unknown, of: RequestContext, done: (settled: Settled) => void): void => {
      const processed = exitOf(body, of)
      if (Exit.isFailure(processed)) done(Exit.failCause(processed.cause))
      else {
        const { accepted, write } = processed.value
        runDirect(write, fork, (stored) => done(Exit.isSuccess(stored) ? Exit.succeed(accepted) : refuse(stored)))
      }
    }

    /** Started in order before any is waited for, so that the storage gets them as one batch. */
    const settleAll = (
      items: ReadonlyArray<unknown>,
      of: RequestContext,
      done: (settled: ReadonlyArray<Settled>) => void
    ): void => {
      const all: Array<Settled> = new Array(items.length)
      let left = items.length
      if (left === 0) done(all)
      items.forEach((item, index) => {
        settle(item, of, (settled) => {
          all[index] = settled
          if (--left === 0) done(all)
        })
      })
    }

    const send = (request: Request, peer: string): Promise<Response> =>
      answering(request, maxBody, "object", (body, exchange, finish) =>
        settle(body, { headers: request.headers, peer }, (settled) =>
          finish(() => {
            const siteId = siteOf(field(body, "payload"))
            if (Exit.isFailure(settled)) return respond(exchange, refused(settled, body, exchange), siteId, null)
            countAccepted(settled.value.type)
            const token = settled.value.cache()
            return respond(exchange, answers.success(settled.value, token), siteId, token)
          })
        )
      )

    const batch = (request: Request, peer: string): Promise<Response> =>
      answering(request, maxBatchBody, "array", (body, exchange, finish) => {
        const answer = (of: answers.Answer) => finish(() => respond(exchange, of, null, null))
        if (!gate.isOn()) return answer(answers.rejectionAnswer({ _tag: "Disabled" }))
        const wrong = batchErrors(body)
        if (wrong !== null) {
          note("InvalidPayload", "the batch is not an array of objects", undefined, exchange)
          return answer(answers.badRequest(wrong))
        }
        const items = body as ReadonlyArray<unknown>
        if (items.length > maxItems) {
          note("BodyTooLarge", `more than ${maxItems} items`, undefined, exchange)
          return answer(answers.batchTooLong(maxItems))
        }
        settleAll(items, { headers: request.headers, peer, derived: new Map() }, (settled) =>
          finish(() =>
            respond(exchange, batchAnswer(settled, items, exchange), siteOf(field(items[0], "payload")), null)
          )
        )
      })

    const batchAnswer = (
      exits: ReadonlyArray<Settled>,
      items: ReadonlyArray<unknown>,
      exchange: Exchange
    ): answers.Answer => {
      const details: Array<{ readonly index: number; readonly response: object }> = []
      let cache: string | null = null
      let ignored = 0
      let retryAfterSeconds: number | undefined
      exits.forEach((exit, index) => {
        if (Exit.isSuccess(exit)) {
          countAccepted(exit.value.type)
          cache ??= exit.value.cache()
          return
        }
        const answer = refused(exit, items[index], exchange)
        if (answer.status === 200) ignored++
        else {
          details.push({ index, response: answer.body })
          if (answer.status === 503) retryAfterSeconds = Math.max(retryAfterSeconds ?? 1, answer.retryAfterSeconds ?? 1)
        }
      })
      const processed = items.length - details.length
      const body = { size: items.length, processed, errors: details.length, details, cache, ignored }
      // A batch of which nothing was stored for want of a storage is to be sent again, and its client told so.
      return processed === 0 && retryAfterSeconds !== undefined
        ? { status: 503, body, retryAfterSeconds }
        : { status: 200, body }
    }

    return {
      send,
      batch,
      preflight: (request) => {
        const response = cors.preflight(request, "OPTIONS, POST")
        response.headers.set(REQUEST_ID_HEADER, requestIdOf(request))
        return response
      },
      plain: (request, answer) => respond({ request, id: requestIdOf(request) }, answer, null, null),
      wrongMethod: (request) => {
        const response = new Response(null, {
          status: 405,
          headers: cors.headers(null, request.headers.get("origin"), false)
        })
        response.headers.set("allow", "OPTIONS, POST")
        response.headers.set(REQUEST_ID_HEADER, requestIdOf(request))
        return response
      },
      inFlight: () => inFlight,
      drain: () => {
        draining = true
      }
    }
  }
)

const refuse = (stored: Exit.Failure<void, StorageError>): Settled => {
  const error = Cause.findErrorOption(stored.cause)
  return error._tag === "Some" ? Exit.fail(storageRejection(error.value)) : Exit.die(Cause.squash(stored.cause))
}

/** zod's errors of a batch that is not an array of objects; null when it is one. */
const batchErrors = (body: unknown): ErrorTree | null => {
  if (!Array.isArray(body)) return { errors: [wrongType("array", body)] }
  const items = body.map((item) => (receivedType(item) === "object" ? null : { errors: [wrongType("record", item)] }))
  return items.some((item) => item !== null) ? { errors: [], items } : null
}

const field = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined

const siteOf = (payload: unknown): string | null => {
  const website = field(payload, "website")
  return typeof website === "string" ? website.toLowerCase() : null
}

/** What the live view shows of a client's text. */
const MAX_SHOWN = 200
const shown = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value.substring(0, MAX_SHOWN).toWellFormed() : null

/** Without query and hash, which may hold what is nobody's business. */
const pathShown = (value: unknown): string | null =>
  typeof value === "string" ? shown(URL.parse(value.substring(0, 2_000), "https://localhost")?.pathname ?? null) : null

const acceptsGzip = (request: Request): boolean => /\bgzip\b/i.test(request.headers.get("accept-encoding") ?? "")

/** Ends a request with the response that is made here. */
type Finish = (response: () => Response) => void

/** A request with the id that its answer and its log lines carry. */
interface Exchange {
  readonly request: Request
  readonly id: string
}
