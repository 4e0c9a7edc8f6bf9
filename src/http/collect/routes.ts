import { timingSafeEqual } from "node:crypto"
import { pathOf } from "../../lib/pathOf.ts"
import { isReading, methodNotAllowed, READING } from "../shared/methodNotAllowed.ts"
import { PREFIX } from "../shared/prefix.ts"
import { problemResponse } from "../shared/problemResponse.ts"
import { requestIdOf } from "../shared/requestId.ts"
import type { Collect } from "./Collect.ts"

const SEND_PATHS = ["/api/send", `${PREFIX}/api/send`]
const METRICS_PATH = "/metrics"
const BATCH_PATHS = ["/api/batch", `${PREFIX}/api/batch`]

export type Respond = (request: Request, server: Bun.Server<undefined>) => Promise<Response> | Response

/** The response handler of each path. */
export type Routes = Readonly<Record<string, Respond>>

export interface RouteOptions {
  /** Paths that answer like `/api/send`, in addition to the usual ones (`COLLECT_API_ENDPOINT`). */
  readonly sendPaths: ReadonlyArray<string>
  /** The address to listen on (`HOST`). */
  readonly host: string
  /** The bearer token that `/metrics` requires; null for none. */
  readonly metricsToken: string | null
  /** Null if events can be stored, otherwise why not. */
  readonly healthProblem: () => Promise<string | null>
  /** All metrics in Prometheus' text format. */
  readonly gatherMetrics: () => Promise<string>
}

/** A path without doubled and trailing slashes. */
const normalizePath = (path: string): string => path.replace(/\/{2,}/g, "/").replace(/(.)\/$/, "$1")

/**
 * Answers a request that no route matches literally: public paths also with doubled or trailing slashes, since a client whose `hostUrl`
 * ends in a slash sends to `//api/send`. `/metrics` must be literal, so that a variant cannot slip past a proxy's rule for it.
 */
export const withSlashVariants =
  (base: string | null, routes: Routes, fallback: Respond): Respond =>
  (request, server) => {
    const path = normalizePath(pathOf(request))
    if (path !== (base ?? "") + METRICS_PATH && Object.hasOwn(routes, path)) return routes[path]!(request, server)
    // Collecting needs no host; pages and the API make links of it.
    if (!URL.canParse(request.url)) return problemResponse(request, WITHOUT_HOST, requestIdOf(request))
    return fallback(request, server)
  }

const WITHOUT_HOST = {
  title: "Bad Request",
  status: 400,
  detail: "The header `Host` is missing or is not the name of a host."
}

/** The routes below a base path (`BASE_PATH`). */
export const below = (base: string | null, routes: Routes): Routes =>
  Object.fromEntries(Object.entries(routes).map(([path, respond]) => [(base ?? "") + path, respond]))

/** Every path of a collector, with its handler. */
export const makeRoutes = (collect: Collect, options: RouteOptions): Routes => {
  const peer = peerOf(options.host)
  const send = posts(collect, collect.send, peer)
  const batch = posts(collect, collect.batch, peer)
  return {
    ...Object.fromEntries([...SEND_PATHS, ...options.sendPaths].map((path) => [path, send])),
    ...Object.fromEntries(BATCH_PATHS.map((path) => [path, batch])),
    "/api/health": gets(collect, health(collect, options.healthProblem)),
    "/api/heartbeat": gets(collect, (request) => collect.plain(request, { status: 200, body: { ok: true } })),
    "/livez": readOnly(() => new Response("ok")),
    [METRICS_PATH]: readOnly(metrics(options.gatherMetrics, options.metricsToken))
  }
}

type PeerOf = (request: Request, server: Bun.Server<undefined>) => string

/** The address at the other end. A server that listens only on the loopback interface need not ask the kernel each time. */
const peerOf = (host: string): PeerOf =>
  isLoopback(host) ? () => LOOPBACK : (request, server) => server.requestIP(request)?.address ?? ""

const LOOPBACK = "127.0.0.1"
const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host)

/** POST goes to the handler, OPTIONS to the preflight, everything else gets 405. */
const posts =
  (collect: Collect, post: Collect["send"], peer: PeerOf): Respond =>
  (request, server) => {
    if (request.method === "POST") return post(request, peer(request, server))
    return otherMethod(collect, request, "OPTIONS, POST")
  }

/** GET and HEAD go to the handler, OPTIONS to the preflight, everything else gets 405. */
const gets =
  (collect: Collect, respond: Respond): Respond =>
  (request, server) =>
    isReading(request) ? respond(request, server) : otherMethod(collect, request, `${READING}, OPTIONS`)

const otherMethod = (collect: Collect, request: Request, allow: string): Response =>
  request.method === "OPTIONS" ? collect.preflight(request, allow) : collect.methodNotAllowed(request, allow)

/** GET and HEAD go to the handler, everything else gets 405. */
export const readOnly =
  (respond: Respond): Respond =>
  (request, server) =>
    isReading(request) ? respond(request, server) : methodNotAllowed(request, READING, requestIdOf(request))

const health =
  (collect: Collect, healthProblem: RouteOptions["healthProblem"]): Respond =>
  async (request) => {
    const problem = await healthProblem()
    return collect.plain(
      request,
      problem === null
        ? { status: 200, body: { status: "ok" } }
        : { status: 503, body: { status: "unavailable", reason: problem }, retryAfterSeconds: 5 }
    )
  }

const metrics =
  (gatherMetrics: RouteOptions["gatherMetrics"], token: string | null): Respond =>
  async (request) => {
    if (token !== null && !bearerIs(request, token)) {
      return new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } })
    }
    return new Response(await gatherMetrics(), {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" }
    })
  }

const bearerIs = (request: Request, token: string): boolean => {
  const given = Buffer.from(request.headers.get("authorization") ?? "")
  const expected = Buffer.from(`Bearer ${token}`)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
