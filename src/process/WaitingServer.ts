import { Effect } from "effect"
import { StartError } from "../domain/StartError.ts"
import { listenProblem } from "../lib/listenProblem.ts"
import { pathOf } from "../lib/pathOf.ts"

/** When clients and probes should ask again. */
const RETRY_AFTER_SECONDS = 5

export interface WaitingOptions {
  readonly hostname: string
  readonly port: number
  /** Whether other workers listen on the same port. */
  readonly reusePort: boolean
}

/**
 * Answers on the process's port while it waits for what it needs to start: `/livez` with 200, so that supervisors leave it running, and
 * everything else with 503 and the reason, so that load balancers and clients go elsewhere.
 */
export class WaitingServer {
  readonly #options: WaitingOptions
  #server: Bun.Server<undefined> | null = null
  #gaveWay = false
  reason = "starting"

  constructor(options: WaitingOptions) {
    this.#options = options
  }

  /** Listens, unless it does already. Fails if the port cannot be listened on. */
  readonly listen: Effect.Effect<void, StartError> = Effect.try({
    try: () => {
      this.#server ??= Bun.serve({ ...this.#options, development: false, fetch: (request) => this.#answer(request) })
    },
    catch: (error) => new StartError({ message: listenProblem(error, this.#options.hostname, this.#options.port) })
  })

  /** Listens, unless the process already listens itself. A port that is taken is reported by the start. */
  readonly listenEarly: Effect.Effect<void> = Effect.suspend(() =>
    this.#gaveWay ? Effect.void : Effect.ignore(this.listen)
  )

  /** Frees the port, since the process is about to listen itself. */
  readonly giveWay: Effect.Effect<void> = Effect.suspend(() => {
    this.#gaveWay = true
    const server = this.#server
    this.#server = null
    return server === null ? Effect.void : Effect.promise(() => server.stop(true))
  })

  #answer(request: Request): Response {
    // BASE_PATH may come from the settings table, which cannot be read yet.
    if (pathOf(request).endsWith("/livez")) return new Response("ok")
    return Response.json(
      { status: "unavailable", reason: this.reason },
      { status: 503, headers: { "retry-after": String(RETRY_AFTER_SECONDS), "access-control-allow-origin": "*" } }
    )
  }
}
