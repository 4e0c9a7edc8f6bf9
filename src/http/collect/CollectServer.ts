import { timingSafeEqual } from "node:crypto"
import { Context, Effect, Layer } from "effect"
import { StartError } from "../../domain/StartError.ts"
import { listenProblem } from "../../lib/listenProblem.ts"
import { Settings } from "../../ports/Settings.ts"
import { Storage } from "../../ports/Storage.ts"
import type { JoinSupervisor } from "../../ports/WorkerLink.ts"
import { COLLECT_API_ENDPOINT, HOST, METRICS_TOKEN, PORT } from "../../settings/settings.ts"
import { IDLE_TIMEOUT_SECONDS } from "../shared/idleTimeout.ts"
import { PREFIX } from "../shared/prefix.ts"
import { notFound } from "./answers.ts"
import { type Collect, type CollectServices, makeCollect } from "./Collect.ts"
import { CollectCounters } from "./metrics.ts"
import { makeScrape } from "./scrape.ts"

const SEND_PATHS = ["/api/send", `${PREFIX}/api/send`]
const BATCH_PATHS = ["/api/batch", `${PREFIX}/api/batch`]

/** How long a ping of the storage is reused, so that frequent probes put no load on it. */
const READINESS_CACHE_MS = 1_000

/** How often a stopping server checks for requests that still need an answer. */
const DRAIN_POLL_MS = 5
/**
 * A stopping server keeps listening until no request has come for `QUIET_MS`, at most for `LINGER_MS`. Clients that keep a connection
 * busy get a response that asks them to close it, rather than a connection cut while they send, and probes see 503.
 */
const QUIET_MS = 100
const LINGER_MS = 1_000

export interface ServerOptions {
  /** Answers every path other than the collect endpoints; without it they are 404. */
  readonly fallback?: (request: Request, server: Bun.Server<undefined>) => Promise<Response>
  readonly joinSupervisor: JoinSupervisor
  /** Called when the supervisor asks this process to end. */
  readonly stop: () => void
}

/** The listening server. `url` is its address on this machine. */
export class CollectServer extends Context.Service<CollectServer, { readonly url: string; readonly port: number }>()(
  "footfall/http/CollectServer"
) {
  /** Listens while the scope is open. When it closes, the server releases busy clients, refuses connections and answers what is in flight. */
  static readonly layer = (options: ServerOptions): Layer.Layer<CollectServer, StartError, CollectServices | Storage> =>
    Layer.effect(
      CollectServer,
      Effect.gen(function* () {
        const settings = yield* Settings
        const services = yield* Effect.context<never>()
        const counters = new CollectCounters(services)
        const collect = yield* makeCollect(counters)
        const isReady = yield* makeReadiness
        const renderMetrics = yield* makeScrape(counters, collect.inFlight)
        const link = yield* options.joinSupervisor({
          renderMetrics: () => Effect.runPromiseWith(services)(renderMetrics),
          stop: options.stop
        })
        const metricsToken = settings.get(METRICS_TOKEN)
        const peer = peerOf(settings.get(HOST))
        let draining = false
        let requests = 0
        const counted =
          (post: Collect["send"]): Collect["send"] =>
          (request, peer) => {
            requests++
            return post(request, peer)
          }

        const health = async (request: Request): Promise<Response> => {
          const problem = draining ? "stopping" : await Effect.runPromiseWith(services)(isReady)
          return collect.plain(
            request,
            problem === null
              ? { status: 200, body: { status: "ok" } }
              : { status: 503, body: { status: "unavailable", reason: problem }, retryAfterSeconds: 5 }
          )
        }

        const metrics = async (request: Request): Promise<Response> => {
          if (metricsToken !== null && !bearerIs(request, metricsToken)) {
            return new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } })
          }
          return new Response(await link.gatherMetrics(), {
            headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" }
          })
        }

        const server = yield* Effect.acquireRelease(
          Effect.try({
            try: () =>
              Bun.serve({
                port: settings.get(PORT),
                hostname: settings.get(HOST),
                reusePort: link.worker !== null,
                idleTimeout: IDLE_TIMEOUT_SECONDS,
                // The body reader enforces the limits, and answers with the headers that pages need.
                maxRequestBodySize: Number.MAX_SAFE_INTEGER,
                development: false,
                routes: {
                  ...Object.fromEntries(
                    [...SEND_PATHS, ...settings.get(COLLECT_API_ENDPOINT)].map((path) => [
                      path,
                      posts(collect, counted(collect.send), peer)
                    ])
                  ),
                  ...Object.fromEntries(
                    BATCH_PATHS.map((path) => [path, posts(collect, counted(collect.batch), peer)])
                  ),
                  "/api/health": health,
                  "/api/heartbeat": (request: Request) => collect.plain(request, { status: 200, body: { ok: true } }),
                  "/livez": () => new Response("ok"),
                  "/metrics": metrics
                },
                fetch: (request, listening) =>
                  options.fallback === undefined
                    ? collect.plain(request, notFound)
                    : options.fallback(request, listening)
              }),
            catch: (error) => new StartError({ message: listenProblem(error, settings.get(HOST), settings.get(PORT)) })
          }),
          (listening) =>
            Effect.gen(function* () {
              draining = true
              collect.drain()
              for (let lingered = 0, quiet = 0; lingered < LINGER_MS && quiet < QUIET_MS; lingered += DRAIN_POLL_MS) {
                const before = requests
                yield* Effect.sleep(DRAIN_POLL_MS)
                quiet = requests === before ? quiet + DRAIN_POLL_MS : 0
              }
              // Closes idle connections immediately, and all others after their response.
              const stopped = listening.stop()
              while (collect.inFlight() > 0) yield* Effect.sleep(DRAIN_POLL_MS)
              yield* Effect.promise(() => listening.stop(true))
              yield* Effect.promise(() => stopped)
            })
        )
        const port = server.port ?? settings.get(PORT)
        const url = `http://localhost:${port}`
        link.announceReady(url)
        return { url, port }
      })
    )
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
  (collect: Collect, post: Collect["send"], peer: PeerOf) =>
  (request: Request, server: Bun.Server<undefined>): Promise<Response> | Response => {
    if (request.method === "POST") return post(request, peer(request, server))
    return request.method === "OPTIONS" ? collect.preflight(request) : collect.methodNotAllowed(request)
  }

/** Null if the storage can store events, otherwise why not. */
const makeReadiness = Effect.gen(function* () {
  const storage = yield* Storage
  return yield* Effect.cachedWithTTL(
    storage.ping.pipe(
      Effect.as<string | null>(null),
      Effect.catch((error) => Effect.succeed(error.message))
    ),
    READINESS_CACHE_MS
  )
})

const bearerIs = (request: Request, token: string): boolean => {
  const given = Buffer.from(request.headers.get("authorization") ?? "")
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
