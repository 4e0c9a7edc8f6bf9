import { timingSafeEqual } from "node:crypto"
import { Context, Effect, Layer } from "effect"
import { StartError } from "../../domain/StartError.ts"
import { errorCode } from "../../lib/errorCode.ts"
import { Settings } from "../../ports/Settings.ts"
import { Storage } from "../../ports/Storage.ts"
import { isWorker, joinSupervisor } from "../../process/worker.ts"
import { COLLECT_API_ENDPOINT, HOST, METRICS_TOKEN, PORT } from "../../settings/settings.ts"
import { IDLE_TIMEOUT_SECONDS } from "../shared/idleTimeout.ts"
import { PREFIX } from "../shared/prefix.ts"
import { makeScrape } from "../shared/scrape.ts"
import { notFound } from "./answers.ts"
import { type Collect, type CollectServices, makeCollect } from "./Collect.ts"

const SEND_PATHS = ["/api/send", `${PREFIX}/api/send`]
const BATCH_PATHS = ["/api/batch", `${PREFIX}/api/batch`]

/** An answer of the storage about itself is used again for this long, so that probes are no load. */
const READINESS_CACHE_MS = 1_000

/** How often a stopping server looks whether it has more to answer. */
const DRAIN_POLL_MS = 5
/**
 * A stopping server goes on until no request came for the first time, the second at most: clients that keep a connection busy
 * get an answer that asks them to close it, instead of a connection that is cut as they send, and probes see 503.
 */
const QUIET_MS = 100
const LINGER_MS = 1_000

export interface ServerOptions {
  /** Answers what is no collect path; without one that is 404. */
  readonly fallback?: (request: Request, server: Bun.Server<undefined>) => Promise<Response>
  /** Called when the supervisor wants this process to end. */
  readonly stop: () => void
}

/** The listening server. `url` is where it is reached on this machine. */
export class CollectServer extends Context.Service<CollectServer, { readonly url: string; readonly port: number }>()(
  "footfall/http/CollectServer"
) {
  /** Listens while the scope is open; then lets busy clients go, refuses new connections, answers what is in flight, and resumes. */
  static readonly layer = (
    options: ServerOptions
  ): Layer.Layer<CollectServer, StartError, CollectServices | Settings> =>
    Layer.effect(
      CollectServer,
      Effect.gen(function* () {
        const settings = yield* Settings
        const collect = yield* makeCollect
        const isReady = yield* makeReadiness
        const renderMetrics = yield* makeScrape(collect.inFlight)
        const services = yield* Effect.context<never>()
        const link = yield* joinSupervisor({
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
                reusePort: isWorker(),
                idleTimeout: IDLE_TIMEOUT_SECONDS,
                // The reader keeps the real limits and answers with the headers that pages need.
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
              // Closes what is idle at once, and every other connection with its answer.
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

/** The address at the other end; a server that listens on the loopback interface alone need not ask the kernel each time. */
const peerOf = (host: string): PeerOf =>
  isLoopback(host) ? () => LOOPBACK : (request, server) => server.requestIP(request)?.address ?? ""

const LOOPBACK = "127.0.0.1"
const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host)

/** POST to the handler, OPTIONS to the preflight, anything else 405. */
const posts =
  (collect: Collect, post: Collect["send"], peer: PeerOf) =>
  (request: Request, server: Bun.Server<undefined>): Promise<Response> | Response => {
    if (request.method === "POST") return post(request, peer(request, server))
    return request.method === "OPTIONS" ? collect.preflight(request) : collect.wrongMethod(request)
  }

/** Null when the storage can store, else why not; asked at most once a second. */
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

const listenProblem = (error: unknown, host: string, port: number): string => {
  const code = errorCode(error)
  if (code === "EADDRINUSE")
    return `Port ${port} is in use. Stop what listens there, or set PORT to another one (0 picks a free one).`
  if (code === "EACCES") return `This user may not listen on port ${port}. Set PORT to 1024 or above.`
  return `Can't listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}. Check HOST and PORT.`
}
