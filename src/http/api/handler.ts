import { Cause, Context, Effect, Layer, Option, type Scope } from "effect"
import { HttpEffect, HttpRouter, HttpServer, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import type { Policy } from "../../pipeline/Policy.ts"
import type { AdminKeys } from "../../ports/AdminKeys.ts"
import type { AppSecret } from "../../ports/AppSecret.ts"
import { FeatureGate } from "../../ports/FeatureGate.ts"
import type { Geo } from "../../ports/Geo.ts"
import type { QueryEngine } from "../../ports/QueryEngine.ts"
import type { Rejections } from "../../ports/Rejections.ts"
import type { Settings } from "../../ports/Settings.ts"
import type { Sites } from "../../ports/Sites.ts"
import type { Storage } from "../../ports/Storage.ts"
import { IDLE_TIMEOUT_SECONDS } from "../shared/idleTimeout.ts"
import { PREFIX } from "../shared/prefix.ts"
import { REQUEST_ID_HEADER, requestIdOf } from "../shared/requestId.ts"
import { AdminApi } from "./Api.ts"
import { AccessLayer } from "./access.ts"
import { withBody } from "./body.ts"
import { Documentation } from "./documentation.ts"
import { ExtendTimeout } from "./ExtendTimeout.ts"
import { KeysHandlers } from "./keys.ts"
import { methodsOf } from "./methods.ts"
import { Peer } from "./Peer.ts"
import { RejectionsHandlers } from "./rejections.ts"
import { ProblemsLayer, problemResponse } from "./render.ts"
import { SettingsHandlers } from "./settings.ts"
import { SitesHandlers } from "./sites.ts"
import { StatsHandlers } from "./stats.ts"
import { StatusHandlers } from "./status.ts"

/** What the admin routes need. */
export type AdminServices =
  | Sites
  | Settings
  | AdminKeys
  | FeatureGate
  | Storage
  | Geo
  | Rejections
  | AppSecret
  | Policy
  | QueryEngine

/** Bun's server, as far as it is needed here: it knows who opened a connection, and closes those that are silent for long. */
export interface PeerSource {
  readonly requestIP: (request: Request) => { readonly address: string } | null
  /** How long the request's connection may be silent from now on; 0 for as long as it takes. */
  readonly timeout?: (request: Request, seconds: number) => void
}

/** Answers every request: the admin API, its documentation, and 404 for what it does not know. Fit for `Bun.serve`'s `fetch`. */
export type AdminHandler = (request: Request, server?: PeerSource) => Promise<Response>

/** No answer of the admin routes may be cached, framed, sniffed or scripted; the documentation brings its own script. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
}

const TITLES: Readonly<Record<number, string>> = {
  402: "Payment Required",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  500: "Internal Server Error"
}

const problem = (request: HttpServerRequest.HttpServerRequest, status: number, detail: string) =>
  problemResponse(request, { type: "about:blank", title: TITLES[status] ?? "Error", status, detail })

const pathOf = (request: HttpServerRequest.HttpServerRequest) => request.url.split("?", 1)[0]!

const notFound = (request: HttpServerRequest.HttpServerRequest) => {
  const methods = methodsOf(pathOf(request))
  return methods.length === 0
    ? problem(request, 404, "There is nothing at this address.")
    : HttpServerResponse.setHeader(
        problem(request, 405, `This address answers ${methods.join(", ")}.`),
        "allow",
        methods.join(", ")
      )
}

/** One logged line with the request's id, and an answer that tells nothing about the inside. */
const unexpected = (request: HttpServerRequest.HttpServerRequest, cause: Cause.Cause<unknown>) =>
  Effect.as(
    Effect.logError("An admin request failed.", cause).pipe(
      Effect.annotateLogs({
        requestId: request.headers[REQUEST_ID_HEADER],
        method: request.method,
        path: pathOf(request)
      })
    ),
    problem(request, 500, "Something went wrong; the server's log has the details under the request's id.")
  )

/** The gate first, then the routes; whatever goes wrong in them becomes a problem. */
const guarded = <R>(
  routes: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, R>,
  gate: FeatureGate["Service"]
) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const path = pathOf(request)
    if (path === PREFIX || path.startsWith(`${PREFIX}/`)) {
      const state = gate.state()
      if (state._tag === "Off")
        return problem(request, 402, `Product Analytics requires a valid license: ${state.why}.`)
    }
    const response = yield* Effect.catchCause(routes, (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
      const error = Option.getOrUndefined(Cause.findErrorOption(cause))
      return HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
        ? Effect.succeed(notFound(request))
        : unexpected(request, cause)
    })
    // The framework answers wrong content types and the like in plain text.
    return response.status >= 400 && response.headers["content-type"] !== "application/problem+json"
      ? problem(
          request,
          response.status,
          response.status === 415 ? "Send the body as `application/json`." : "The request can't be served."
        )
      : response
  })

const routes = HttpApiBuilder.layer(AdminApi).pipe(
  Layer.provide([SitesHandlers, StatsHandlers, RejectionsHandlers, SettingsHandlers, KeysHandlers, StatusHandlers]),
  Layer.provide([AccessLayer, ProblemsLayer])
)

/** Builds the handler once; its scope ends it. */
export const adminHandler: Effect.Effect<AdminHandler, never, AdminServices | Scope.Scope> = Effect.gen(function* () {
  const gate = yield* FeatureGate
  const built = yield* Layer.build(
    routes.pipe(Layer.provideMerge(HttpRouter.layer), Layer.provide(HttpServer.layerServices))
  )
  const services = yield* Effect.context<AdminServices>()
  const router = Context.get(built, HttpRouter.HttpRouter)
  const answer = HttpEffect.toWebHandlerWith<AdminServices, HttpServerRequest.HttpServerRequest | Scope.Scope>(
    services
  )(guarded(router.asHttpEffect(), gate))

  const documentation = new Documentation()
  const respond = async (request: Request, connection: Context.Context<never>): Promise<Response> => {
    const path = new URL(request.url).pathname
    if (request.method === "GET" || request.method === "HEAD") {
      if (path === "/openapi.json") return documentation.openApi()
      if (path === "/docs") return await documentation.page(request)
    }
    return await answer(request, connection)
  }

  return async (incoming, server) => {
    const id = requestIdOf(incoming)
    const headers = new Headers(incoming.headers)
    headers.set(REQUEST_ID_HEADER, id)
    let isPatient = false
    const connection = Context.make(Peer, server?.requestIP(incoming)?.address ?? null).pipe(
      Context.add(ExtendTimeout, () => {
        isPatient = true
        server?.timeout?.(incoming, 0)
      })
    )
    const read = await Effect.runPromise(Effect.result(withBody(incoming)))
    const response =
      read._tag === "Failure"
        ? failedBody(read.failure, incoming, headers)
        : // Who hangs up ends what is done for them.
          await respond(new Request(read.success, { headers, signal: incoming.signal }), connection)
    if (isPatient) server?.timeout?.(incoming, IDLE_TIMEOUT_SECONDS)
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!response.headers.has(name)) response.headers.set(name, value)
    }
    response.headers.set(REQUEST_ID_HEADER, id)
    return response
  }
})

const failedBody = (status: 408 | 413, incoming: Request, headers: Headers): Response =>
  HttpServerResponse.toWeb(
    problem(
      HttpServerRequest.fromWeb(new Request(incoming.url, { headers })),
      status,
      status === 413 ? "The body is too large." : "The body did not arrive in time."
    )
  )
