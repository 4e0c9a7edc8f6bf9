import { Cause, Context, Effect, Layer, Option, Result, type Scope } from "effect"
import { HttpEffect, HttpRouter, HttpServer, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import * as Demo from "../../../pipeline/demo/Demo.ts"
import type { Policy } from "../../../pipeline/Policy.ts"
import type { AppSecret } from "../../../ports/AppSecret.ts"
import { FeatureGate, offMessage } from "../../../ports/FeatureGate.ts"
import type { Geo } from "../../../ports/Geo.ts"
import type { Metadata } from "../../../ports/Metadata.ts"
import type { Properties } from "../../../ports/Properties.ts"
import type { QueryEngine } from "../../../ports/QueryEngine.ts"
import type { QuestionEngines } from "../../../ports/QuestionEngines.ts"
import type { Rejections } from "../../../ports/Rejections.ts"
import type { Replica } from "../../../ports/Replica.ts"
import type { SavedDefinitions } from "../../../ports/SavedDefinitions.ts"
import { Settings } from "../../../ports/Settings.ts"
import type { SiteData } from "../../../ports/SiteData.ts"
import type { Sites } from "../../../ports/Sites.ts"
import type { Storage } from "../../../ports/Storage.ts"
import * as Catalog from "../../../query/metadata/Catalog.ts"
import type { FieldScanner } from "../../../query/metadata/FieldScanner.ts"
import type { Asking } from "../../../query/run/Asking.ts"
import * as Questions from "../../../query/run/Questions.ts"
import { BASE_PATH } from "../../../settings/settings.ts"
import { Pages } from "../../pages/Pages.ts"
import { SignIn } from "../../people/SignIn.ts"
import { pathBelow } from "../../shared/basePath.ts"
import { IDLE_TIMEOUT_SECONDS } from "../../shared/idleTimeout.ts"
import { isReading, methodNotAllowed, READING } from "../../shared/methodNotAllowed.ts"
import { PREFIX } from "../../shared/prefix.ts"
import { REQUEST_ID_HEADER, requestIdOf } from "../../shared/requestId.ts"
import { AdminApi } from "../AdminApi.ts"
import { DatabaseHandlers } from "../database/handlers.ts"
import * as ExportLog from "../dataset/ExportLog.ts"
import { DatasetHandlers } from "../dataset/handlers.ts"
import { DemoHandlers } from "../demo/handlers.ts"
import { FormulaHandlers } from "../formula/handlers.ts"
import { RejectionsHandlers } from "../rejections/handlers.ts"
import { SettingsHandlers } from "../settings/handlers.ts"
import { SitesHandlers } from "../sites/handlers.ts"
import { StatsHandlers } from "../stats/handlers.ts"
import { StatusHandlers } from "../status/handlers.ts"
import * as authorize from "./authorize.ts"
import { type BodyError, bufferBody } from "./body.ts"
import { type ContentServices, contentHandlers } from "./content.ts"
import { Documentation } from "./documentation.ts"
import { ExtendTimeout } from "./ExtendTimeout.ts"
import { isKnownPath, isOpenWithoutLicense, methodsAt } from "./methods.ts"
import { Peer } from "./Peer.ts"
import { type PeopleServices, peopleHandlers } from "./people.ts"
import * as render from "./render.ts"

/** The services that the admin API needs. */
export type AdminServices =
  | Sites
  | Settings
  | PeopleServices
  | FeatureGate
  | Storage
  | Geo
  | Rejections
  | AppSecret
  | Policy
  | QueryEngine
  | QuestionEngines
  | Asking
  | Replica
  | Properties
  | Metadata
  | FieldScanner
  | SavedDefinitions
  | SiteData
  | ContentServices

/** The part of `Bun.serve`'s server that the API uses: peer addresses and idle timeouts. */
export interface PeerSource {
  readonly requestIP: (request: Request) => { readonly address: string } | null
  /** Sets the idle timeout of the request's connection; 0 disables it. */
  readonly timeout?: (request: Request, seconds: number) => void
}

/** A `fetch` handler for `Bun.serve`: the admin API, its documentation, and 404 for every other path. */
export type AdminHandler = (request: Request, server?: PeerSource) => Promise<Response>

/** What browsers without content security policies read. */
const FRAME_OPTIONS = "x-frame-options"

/** Forbids caching, framing, sniffing and scripts; the documentation page has its own content security policy. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  [FRAME_OPTIONS]: "DENY"
}

/** Whether a response has a content security policy that names pages which may show it in a frame. */
const mayBeFramed = ({ headers }: Response): boolean =>
  /frame-ancestors (?!'none')/.test(headers.get("content-security-policy") ?? "")

const SEND_JSON = "Send the body as `application/json`."

const pathOf = (request: HttpServerRequest.HttpServerRequest) => request.url.split("?", 1)[0]!

/** In characters. The longest part of a path is the token of an embed. */
const MAX_PARAM_LENGTH = 10_000

const isDecodable = (path: string): boolean => {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/**
 * 404 for a path that the API does not have, 405 for another method, 400 for an escape such as `%zz`, and otherwise 414: the router finds no
 * route for these two.
 */
const routeNotFound = (request: HttpServerRequest.HttpServerRequest) => {
  const found = methodsAt(pathOf(request))
  const methods = found.join(", ")
  if (methods === "") return render.statusResponse(request, 404, "There is nothing at this path.")
  if (!isDecodable(pathOf(request))) {
    return render.statusResponse(
      request,
      400,
      "The path has a `%` that is not followed by the code of a character in UTF-8."
    )
  }
  return found.includes(request.method === "HEAD" ? "GET" : request.method)
    ? render.statusResponse(request, 414, `Each part of a path may have up to ${MAX_PARAM_LENGTH} characters.`)
    : HttpServerResponse.setHeader(
        render.statusResponse(request, 405, `This path supports ${methods}.`),
        "allow",
        methods
      )
}

/** Logs a defect with the request's id; the response reveals nothing about it. */
const internalError = (request: HttpServerRequest.HttpServerRequest, cause: Cause.Cause<unknown>) =>
  Effect.logError("An admin request failed.", cause).pipe(
    Effect.annotateLogs({
      requestId: request.headers[REQUEST_ID_HEADER],
      method: request.method,
      path: pathOf(request)
    }),
    Effect.as(
      render.statusResponse(
        request,
        500,
        "Something went wrong; the server's log has the details under the request's id."
      )
    )
  )

const isUnderPrefix = (path: string) => path === PREFIX || path.startsWith(`${PREFIX}/`)

/** Checks the license before routing, and turns every failure into a problem. */
const withProblems = <R>(
  routes: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, R>,
  gate: FeatureGate["Service"]
) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const state = gate.state()
    const path = pathOf(request)
    const isKnown = isKnownPath(path)
    if (state._tag === "Off" && (isKnown || isUnderPrefix(path)) && !isOpenWithoutLicense(request.method, path)) {
      return render.statusResponse(request, 402, offMessage(state.why))
    }
    // Only literal paths, since a proxy's rules for them apply to nothing else.
    if (!isKnown) return routeNotFound(request)
    const response = yield* Effect.catchCause(routes, (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
      const error = Option.getOrUndefined(Cause.findErrorOption(cause))
      return HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
        ? Effect.succeed(routeNotFound(request))
        : internalError(request, cause)
    })
    // The framework responds in plain text to an unsupported content type and the like.
    return response.status >= 400 && response.headers["content-type"] !== "application/problem+json"
      ? render.statusResponse(
          request,
          response.status,
          response.status === 415 ? SEND_JSON : "The request can't be served."
        )
      : response
  })

const routes = HttpApiBuilder.layer(AdminApi).pipe(
  Layer.provide([
    SitesHandlers,
    StatsHandlers,
    RejectionsHandlers,
    SettingsHandlers,
    peopleHandlers,
    StatusHandlers,
    DatasetHandlers,
    FormulaHandlers,
    DemoHandlers,
    DatabaseHandlers,
    contentHandlers
  ]),
  Layer.provide([Questions.layer, ExportLog.layer, Demo.layer, Catalog.layer, SignIn.layer]),
  Layer.provide([authorize.layer, render.layer])
)

/** Paths are matched literally, so that a variant of a path cannot slip past a proxy's rule for it. */
const ROUTER = { caseSensitive: true, ignoreDuplicateSlashes: false, maxParamLength: MAX_PARAM_LENGTH } as const

/** Decodes and answers API requests with the routes above. */
const apiHandler = Effect.gen(function* () {
  const gate = yield* FeatureGate
  const built = yield* Layer.build(
    routes.pipe(
      Layer.provideMerge(HttpRouter.layer),
      Layer.provide(HttpServer.layerServices),
      Layer.provide(Layer.succeed(HttpRouter.RouterConfig, ROUTER))
    )
  )
  const services = yield* Effect.context<AdminServices>()
  const router = Context.get(built, HttpRouter.HttpRouter)
  return HttpEffect.toWebHandlerWith<AdminServices, HttpServerRequest.HttpServerRequest | Scope.Scope>(services)(
    withProblems(router.asHttpEffect(), gate)
  )
})

/** The pages for signing in. */
const pagesOf = Effect.map(Layer.build(Pages.layer.pipe(Layer.provide(SignIn.layer))), Context.get(Pages))

const BODY_PROBLEMS: Readonly<Record<BodyError["reason"], { readonly status: number; readonly detail: string }>> = {
  TooLarge: { status: 413, detail: "The body is too large." },
  Timeout: { status: 408, detail: "The body did not arrive in time." },
  Untyped: { status: 415, detail: `Say what the body is: ${SEND_JSON}` }
}

/** The request as if its base path were the root. One outside of the base path (null) goes to a path where there is nothing. */
const requestAt = (path: string | null, request: Request): Request => {
  const url = new URL(request.url)
  if (url.pathname === path) return request
  url.pathname = path ?? "/"
  return new Request(url.href, request)
}

const bodyResponse = ({ reason }: BodyError, incoming: Request, headers: Headers): Response => {
  const { status, detail } = BODY_PROBLEMS[reason]
  const request = HttpServerRequest.fromWeb(new Request(incoming.url, { headers }))
  return HttpServerResponse.toWeb(render.statusResponse(request, status, detail))
}

/** Builds the handler, which works as long as its scope is open. */
export const adminHandler: Effect.Effect<AdminHandler, never, AdminServices | Scope.Scope> = Effect.map(
  Effect.all([apiHandler, Settings, pagesOf]),
  ([api, { get }, pages]): AdminHandler => {
    const base = get(BASE_PATH)
    const documentation = new Documentation(base)
    const respond = async (request: Request, connection: Context.Context<never>): Promise<Response> => {
      const path = new URL(request.url).pathname
      if (path === "/openapi.json" || path === "/docs") {
        if (!isReading(request)) return methodNotAllowed(request, READING, requestIdOf(request))
        return path === "/docs" ? await documentation.page(request) : documentation.openApi()
      }
      return await (pages.respond(request, Context.get(connection, Peer)) ?? api(request, connection))
    }

    return async (incoming, server) => {
      const id = requestIdOf(incoming)
      const headers = new Headers(incoming.headers)
      headers.set(REQUEST_ID_HEADER, id)
      let isTimeoutExtended = false
      const connection = Context.make(Peer, server?.requestIP(incoming)?.address ?? null).pipe(
        Context.add(ExtendTimeout, () => {
          isTimeoutExtended = true
          server?.timeout?.(incoming, 0)
        })
      )
      const path = pathBelow(base, new URL(incoming.url).pathname)
      // Where there is nothing, the body is not read.
      const buffered =
        path === null
          ? Result.succeed(new Request(incoming.url, { method: incoming.method }))
          : await Effect.runPromise(Effect.result(bufferBody(incoming)))
      const response = Result.isFailure(buffered)
        ? bodyResponse(buffered.failure, incoming, headers)
        : // A client that disconnects interrupts its request.
          await respond(
            requestAt(path, new Request(buffered.success, { headers, signal: incoming.signal })),
            connection
          )
      if (isTimeoutExtended) server?.timeout?.(incoming, IDLE_TIMEOUT_SECONDS)
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
        if (!response.headers.has(name) && !(name === FRAME_OPTIONS && mayBeFramed(response))) {
          response.headers.set(name, value)
        }
      }
      response.headers.set(REQUEST_ID_HEADER, id)
      return response
    }
  }
)
