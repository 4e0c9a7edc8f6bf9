import { gzipSync } from "node:zlib"
import { methodNotAllowed } from "../shared/methodNotAllowed.ts"
import { REQUEST_ID_HEADER } from "../shared/requestId.ts"
import type { Answer } from "./answers.ts"
import type { Cors } from "./cors.ts"

/** Responses of at least this size are compressed for clients that accept gzip; smaller ones fit into one packet anyway. */
const GZIP_FROM_BYTES = 1_024

/** A request, with the id that its response and its log lines carry. */
export interface Exchange {
  readonly request: Request
  readonly id: string
  /** IP address at the other end of the connection. */
  readonly peer: string
}

/** What an endpoint replies: an answer, the site that decides about CORS, and the session token. */
export interface Reply {
  readonly answer: Answer
  readonly siteId: string | null
  readonly token: string | null
}

export const replyWith = (answer: Answer, siteId: string | null = null): Reply => ({ answer, siteId, token: null })

/** Turns replies into responses: CORS, request id, gzip, and `connection: close` when clients should reconnect. */
export class Responder {
  readonly #cors: Cors
  #draining = false

  constructor(cors: Cors) {
    this.#cors = cors
  }

  /** From now on, responses ask clients to close their connection. */
  drain(): void {
    this.#draining = true
  }

  respond({ id, request }: Exchange, { answer, siteId, token }: Reply): Response {
    const json = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body)
    const large = json.length >= GZIP_FROM_BYTES
    const compressed = large && acceptsGzip(request)
    const response = new Response(compressed ? gzipSync(json) : json, {
      status: answer.status,
      headers: this.#cors.headers(siteId, request.headers.get("origin"), true)
    })
    const headers = response.headers
    headers.set(REQUEST_ID_HEADER, id)
    if (token !== null) headers.set("x-umami-cache", token)
    if (answer.retryAfterSeconds !== undefined) headers.set("retry-after", String(answer.retryAfterSeconds))
    if (this.#draining || answer.status === 408 || answer.status === 413) headers.set("connection", "close")
    if (large) headers.append("vary", "Accept-Encoding")
    if (compressed) headers.set("content-encoding", "gzip")
    return response
  }

  preflight({ id, request }: Exchange, allow: string): Response {
    const response = this.#cors.preflight(request, allow)
    response.headers.set(REQUEST_ID_HEADER, id)
    return response
  }

  methodNotAllowed({ id, request }: Exchange, allow: string): Response {
    return methodNotAllowed(request, allow, id, this.#cors.headers(null, request.headers.get("origin"), false))
  }
}

const acceptsGzip = (request: Request): boolean => /\bgzip\b/i.test(request.headers.get("accept-encoding") ?? "")
