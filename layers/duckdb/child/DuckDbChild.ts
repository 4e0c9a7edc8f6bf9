import { fileURLToPath } from "node:url"
import { Deferred, Effect, type Scope, Semaphore } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { QueryError, type QueryResult } from "../../../src/ports/QueryEngine.ts"
import type { FromChild, OpenOptions, RunRequest, ToChild } from "./protocol.ts"

/**
 * Threads of the process for what blocks. A running statement holds one of them. The default, one per core, would be used up by two
 * statements on a small machine, and everything else in the process would wait. Must be set before the process starts.
 */
const POOL_THREADS = 16
/** Downloading the extensions takes seconds. */
const OPEN_MS = 120_000
/** How many queries run at the same time: each may use most of the memory limit and all threads. Others wait. */
const CONCURRENT = 2
/** An interrupted query ends between two chunks of a few thousand rows, or when S3 answers. */
const CANCEL_MS = 10_000

/** Runs queries in a DuckDB in another process. */
export interface DuckDbChild {
  /** Interrupting it cancels the query in DuckDB. */
  readonly run: (request: RunRequest) => Effect.Effect<QueryResult, QueryError>
}

interface Call {
  readonly result: Deferred.Deferred<QueryResult, QueryError>
  /** Called when DuckDB has finished with the query, even if it was canceled. */
  readonly onEnd: () => void
  canceled: boolean
}

const unavailable = (message: string) => new QueryError({ reason: "Unavailable", message })

/** One process and the queries that it runs. */
class Running {
  readonly opened = Deferred.makeUnsafe<void, StartError>()
  readonly #calls = new Map<number, Call>()
  readonly #process: Bun.Subprocess
  #lastId = 0

  constructor(entry: URL, options: OpenOptions, onExit: (running: Running) => void) {
    this.#process = Bun.spawn([process.execPath, fileURLToPath(entry)], {
      env: { ...process.env, UV_THREADPOOL_SIZE: String(POOL_THREADS) },
      stdio: ["ignore", "inherit", "inherit"],
      serialization: "advanced",
      ipc: (message: FromChild) => this.#receive(message),
      onExit: (_process, code, signal) => {
        onExit(this)
        this.#end(signal === null ? `code ${code}` : String(signal))
      }
    })
    this.#send({ type: "open", options })
  }

  /** Starts a query at once; succeeds with its result. */
  start(request: RunRequest, onEnd: () => void) {
    const id = ++this.#lastId
    const call: Call = { result: Deferred.makeUnsafe(), onEnd, canceled: false }
    this.#calls.set(id, call)
    this.#send({ type: "run", id, ...request })
    return { result: Deferred.await(call.result), cancel: Effect.sync(() => this.#cancel(id, call)) }
  }

  kill(): void {
    this.#process.kill("SIGKILL")
  }

  #send(message: ToChild): void {
    try {
      this.#process.send(message)
    } catch {
      // Its channel has just closed, and its exit follows.
    }
  }

  #receive(message: FromChild): void {
    switch (message.type) {
      case "opened":
        Deferred.doneUnsafe(this.opened, Effect.void)
        return
      case "refused":
        Deferred.doneUnsafe(this.opened, Effect.fail(refused(message.message)))
        this.kill()
        return
      case "answered":
        this.#finish(message.id, Effect.succeed(message.result))
        return
      case "failed": {
        const { id, reason, message: text } = message
        this.#finish(id, Effect.fail(new QueryError({ reason, message: text })))
      }
    }
  }

  #finish(id: number, outcome: Effect.Effect<QueryResult, QueryError>): void {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    if (call === undefined) return
    Deferred.doneUnsafe(call.result, outcome)
    call.onEnd()
  }

  #cancel(id: number, call: Call): void {
    call.canceled = true
    this.#send({ type: "cancel", id })
    this.#killIfStuck(id)
  }

  /** A query that waits for S3 can't be interrupted. The process is killed for it once no other query would be lost. */
  #killIfStuck(id: number): void {
    setTimeout(() => {
      if (!this.#calls.has(id)) return
      if ([...this.#calls.values()].every(({ canceled }) => canceled)) this.kill()
      else this.#killIfStuck(id)
    }, CANCEL_MS).unref()
  }

  #end(how: string): void {
    Deferred.doneUnsafe(this.opened, Effect.fail(refused(`its process ended with ${how}`)))
    for (const id of this.#calls.keys()) {
      this.#finish(
        id,
        Effect.fail(unavailable(`DuckDB's process ended with ${how} during the query. The next query starts it again.`))
      )
    }
  }
}

const refused = (error: string) =>
  new StartError({
    message: `DuckDB can't be used; without internet access, set DUCKDB_EXTENSION_DIRECTORY to a folder with the extensions avro, httpfs and iceberg for exactly this DuckDB. DuckDB's error: ${error}`
  })

/**
 * A process that runs `entry`, which must call `serveDuckDb`. It starts now, and again with the first query after it ended. It ends
 * with the scope or with this process. A process of its own, because a running statement holds a thread of Bun's pool, which the spool
 * needs to acknowledge events.
 */
export const makeDuckDbChild = Effect.fnUntraced(function* (
  entry: URL,
  options: OpenOptions
): Effect.fn.Return<DuckDbChild, StartError, Scope.Scope> {
  let running: Running | null = null
  const forget = (ended: Running) => {
    if (running === ended) running = null
  }
  const ensureOpened = Effect.suspend(() => {
    running ??= new Running(entry, options, forget)
    const starting = running
    return Deferred.await(starting.opened).pipe(
      Effect.timeoutOrElse({
        duration: OPEN_MS,
        orElse: () => {
          starting.kill()
          return Effect.fail(refused(`it was not ready within ${OPEN_MS / 1_000} s`))
        }
      }),
      Effect.as(starting)
    )
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => running?.kill()))
  yield* ensureOpened

  /** Held while DuckDB works on a query, even after it was canceled. */
  const slots = Semaphore.makeUnsafe(CONCURRENT)
  const release = () => {
    Effect.runSync(slots.release(1))
  }
  return {
    run: (request) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          yield* restore(slots.take(1))
          const child = yield* restore(ensureOpened).pipe(
            Effect.mapError(({ message }) => unavailable(message)),
            Effect.onError(() => Effect.sync(release))
          )
          const { cancel, result } = child.start(request, release)
          return yield* Effect.onInterrupt(restore(result), () => cancel)
        })
      )
  }
})
