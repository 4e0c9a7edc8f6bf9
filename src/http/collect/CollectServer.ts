import { Context, Effect, Layer, type Scope } from "effect"
import { StartError } from "../../domain/StartError.ts"
import { listenProblem } from "../../lib/listenProblem.ts"
import { Settings } from "../../ports/Settings.ts"
import { Storage } from "../../ports/Storage.ts"
import type { JoinSupervisor } from "../../ports/WorkerLink.ts"
import {
  BASE_PATH,
  COLLECT_API_ENDPOINT,
  HOST,
  METRICS_TOKEN,
  PORT,
  TRACKER_SCRIPT_FILE,
  TRACKER_SCRIPT_NAME,
  TRACKER_SCRIPT_URL
} from "../../settings/settings.ts"
import { withBasePath } from "../shared/basePath.ts"
import { IDLE_TIMEOUT_SECONDS } from "../shared/idleTimeout.ts"
import { notFound, stopping } from "./answers.ts"
import { type Collect, type CollectServices, makeCollect } from "./Collect.ts"
import { CollectCounters } from "./metrics.ts"
import { logOutages } from "./outageLog.ts"
import { below, makeRoutes, type Respond, type Routes, withSlashVariants } from "./routes.ts"
import { makeScrape } from "./scrape.ts"
import { makeTrackerRoutes } from "./trackerScript.ts"

/** How long a ping of the storage is reused, so that frequent probes put no load on it. */
const READINESS_CACHE_MS = 1_000

/** How often a stopping server checks for requests that still need an answer. */
const DRAIN_POLL_MS = 5
/**
 * A stopping server takes events until no request has come for `QUIET_MS`, at most for `LINGER_MS`: clients that keep a connection busy get a
 * response that asks them to close it, rather than a connection cut while they send. From then on it answers 503 until it has answered
 * everything it took, so that probes and load balancers see that it stops, not that it is gone.
 */
const QUIET_MS = 100
const LINGER_MS = 1_000

type Fallback = (request: Request, server: Bun.Server<undefined>) => Promise<Response>

export interface ServerOptions {
  /** Answers every path other than the collect endpoints; without it they are 404. */
  readonly fallback?: Fallback
  readonly joinSupervisor: JoinSupervisor
  /** Runs just before the server listens. */
  readonly beforeListen?: Effect.Effect<void>
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
        const { get } = yield* Settings
        const services = yield* Effect.context<never>()
        const runPromise = Effect.runPromiseWith(services)
        const counters = new CollectCounters(services)
        const drain: Drain = { started: false, refusing: false }
        const collect = countRequests(yield* makeCollect(counters), drain)
        yield* logOutages(counters)
        const storageProblem = yield* makeStorageProblem
        const renderMetrics = yield* makeScrape(counters, collect.inFlight)
        const link = yield* options.joinSupervisor({
          renderMetrics: () => runPromise(renderMetrics),
          stop: options.stop
        })
        const tracker = yield* makeTrackerRoutes({
          names: get(TRACKER_SCRIPT_NAME),
          file: get(TRACKER_SCRIPT_FILE),
          url: get(TRACKER_SCRIPT_URL),
          endpoint: get(COLLECT_API_ENDPOINT)[0] ?? null
        })
        const routes = below(get(BASE_PATH), {
          ...tracker,
          ...makeRoutes(collect, {
            sendPaths: get(COLLECT_API_ENDPOINT),
            host: get(HOST),
            metricsToken: get(METRICS_TOKEN),
            healthProblem: () => (drain.started ? Promise.resolve("stopping") : runPromise(storageProblem)),
            gatherMetrics: link.gatherMetrics
          })
        })
        yield* options.beforeListen ?? Effect.void
        const server = yield* listen(
          {
            hostname: get(HOST),
            port: get(PORT),
            reusePort: link.worker !== null,
            routes,
            fallback: withSlashVariants(
              get(BASE_PATH),
              routes,
              options.fallback ?? ((request) => collect.plain(request, notFound))
            )
          },
          (listening) => drainServer(listening, collect, drain)
        )
        const port = server.port ?? get(PORT)
        const url = withBasePath(`http://localhost:${port}`, get(BASE_PATH))
        link.announceReady(url)
        return { url, port }
      })
    )
}

interface ListenOptions {
  readonly hostname: string
  readonly port: number
  readonly reusePort: boolean
  readonly routes: Routes
  readonly fallback: Respond
}

/** Listens until the scope closes, then runs `drain`. */
const listen = (
  { fallback, hostname, port, reusePort, routes }: ListenOptions,
  drain: (server: Bun.Server<undefined>) => Effect.Effect<void>
): Effect.Effect<Bun.Server<undefined>, StartError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () =>
        Bun.serve({
          hostname,
          port,
          reusePort,
          idleTimeout: IDLE_TIMEOUT_SECONDS,
          // The body reader enforces the limits, and answers with the headers that pages need.
          maxRequestBodySize: Number.MAX_SAFE_INTEGER,
          development: false,
          routes,
          fetch: fallback
        }),
      catch: (error) => new StartError({ message: listenProblem(error, hostname, port) })
    }),
    drain
  )

/** How far a stopping server is. */
interface Drain {
  /** Health is 503. */
  started: boolean
  /** New events get 503. */
  refusing: boolean
}

interface CountedCollect extends Collect {
  /** Requests so far, answered or not. */
  readonly requests: () => number
}

const countRequests = (collect: Collect, drain: Drain): CountedCollect => {
  let requests = 0
  const counted =
    (post: Collect["send"]): Collect["send"] =>
    (request, peer) => {
      requests++
      return drain.refusing ? Promise.resolve(collect.plain(request, stopping)) : post(request, peer)
    }
  return { ...collect, send: counted(collect.send), batch: counted(collect.batch), requests: () => requests }
}

/** Releases busy clients, refuses new events and waits until everything in flight is answered. */
const drainServer = Effect.fnUntraced(function* (server: Bun.Server<undefined>, collect: CountedCollect, drain: Drain) {
  drain.started = true
  collect.drain()
  for (let lingered = 0, quiet = 0; lingered < LINGER_MS && quiet < QUIET_MS; lingered += DRAIN_POLL_MS) {
    const before = collect.requests()
    yield* Effect.sleep(DRAIN_POLL_MS)
    quiet = collect.requests() === before ? quiet + DRAIN_POLL_MS : 0
  }
  drain.refusing = true
  do yield* Effect.sleep(DRAIN_POLL_MS)
  while (collect.inFlight() > 0)
  // Closes idle connections immediately. The others have their responses.
  const stopped = server.stop()
  yield* Effect.promise(() => server.stop(true))
  yield* Effect.promise(() => stopped)
})

/** Null if the storage can store events, otherwise why not. */
const makeStorageProblem = Effect.gen(function* () {
  const storage = yield* Storage
  return yield* Effect.cachedWithTTL(
    storage.ping.pipe(
      Effect.as<string | null>(null),
      Effect.catch((error) => Effect.succeed(error.message))
    ),
    READINESS_CACHE_MS
  )
})
