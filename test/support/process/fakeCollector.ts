import { Deferred, Duration, Effect } from "effect"
import { supervise } from "../../../src/process/supervisor.ts"
import { isWorker, joinSupervisor } from "../../../src/process/worker.ts"

/**
 * An entry point that behaves like a collector towards its supervisor. `FAKE` selects a fault: `refuse` (worker 2 exits with 2
 * immediately), `linger` (a worker never drains), `fail` (draining ends with exit code 1).
 */
const worker = Effect.gen(function* () {
  const { FAKE, PORT, FOOTFALL_WORKER } = process.env
  if (FAKE === "refuse" && FOOTFALL_WORKER === "2") return 2
  const stopping = yield* Deferred.make<void>()
  const stop = () => void Deferred.doneUnsafe(stopping, Effect.void)
  process.on("SIGTERM", stop)
  let requests = 0
  const link = yield* joinSupervisor({
    renderMetrics: () => `# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total ${requests}\n`,
    stop
  })
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: Number(PORT),
    reusePort: true,
    routes: {
      "/": () => {
        requests++
        return Response.json({ worker: link.worker, pid: process.pid }, { headers: { connection: "close" } })
      },
      "/metrics": async () => new Response(await link.gatherMetrics())
    }
  })
  link.announceReady(server.url.href)
  yield* Deferred.await(stopping)
  if (FAKE === "linger") yield* Effect.never
  yield* Effect.promise(() => server.stop())
  console.log(`worker ${link.worker} drained`)
  return FAKE === "fail" ? 1 : 0
}).pipe(Effect.scoped)

const supervisor = supervise({
  workers: Number(process.env["WORKERS"]),
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"]),
  shutdownTimeout: Duration.millis(Number(process.env["SHUTDOWN_MS"] ?? 5_000))
}).pipe(
  Effect.catch((error) =>
    Effect.sync(() => {
      console.error(error.message)
      return 2
    })
  )
)

process.exit(await Effect.runPromise(isWorker() ? worker : supervisor))
