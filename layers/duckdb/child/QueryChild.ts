import { fileURLToPath } from "node:url"
import { Cause, Deferred, Effect, Exit, Queue, type Scope, Semaphore, Stream } from "effect"
import type { StartError } from "../../../src/domain/StartError.ts"
import { makeRemaining } from "../../../src/lib/remaining.ts"
import { type QueryChunk, QueryError, type QueryResult, streamedTooLong } from "../../../src/ports/QueryEngine.ts"
import { lastWords } from "./lastWords.ts"
import type { FromChild, ToChild } from "./protocol.ts"

/**
 * Threads of the process for what blocks. A running statement holds one of them. The default, one per core, would be used up by two
 * statements on a small machine, and everything else in the process would wait. Must be set before the process starts.
 */
const POOL_THREADS = 16
/** How many queries run at the same time: each may use most of the memory limit and all threads. Others wait. */
const CONCURRENT = 2
/** Exports take minutes, so they never take a query's place. Most of that time, they wait for their reader. */
const CONCURRENT_STREAMS = 4
/** Chunks of a stream, of up to 2,048 rows each, that are on their way to a reader. */
const STREAM_CHUNKS = 4
/** An interrupted query ends between two chunks of a few thousand rows, or when S3 answers. */
const CANCEL_MS = 10_000
/** The end of what the process printed, in characters, among which is why it ended. */
const KEPT_OUTPUT = 4_000
/** What the process printed last has arrived by then, even if another process still has its pipe. */
const OUTPUT_MS = 500

export interface QueryChildOptions<Options> {
  /** The program of the process: it must call `serveQueries`. */
  readonly entry: URL
  /** Sent to the process when it has started, never as arguments: they may have secrets. */
  readonly open: Options
  readonly openMs: number
  /** Why the process is of no use, from its own words. */
  readonly refused: (message: string) => StartError
  /** Called with each status that the process reports. */
  readonly onNotice?: (notice: unknown) => void
  /** Called when the process has ended, with how, such as `SIGKILL` or `code 1 (error: no such file)`. */
  readonly onExit?: (how: string) => void
}

export interface StreamDeadline {
  readonly deadlineMs: number
  /** How much of it has passed before. */
  readonly spentMs: number | undefined
}

/** Runs queries in a DuckDB in another process. */
export interface QueryChild<Request> {
  /** Interrupting it cancels the query in DuckDB. */
  readonly run: (request: Request) => Effect.Effect<QueryResult, QueryError>
  /** At the reader's pace. Closing the stream cancels the query; so does the deadline, which also counts the reader's time. */
  readonly stream: (request: Request, deadline: StreamDeadline) => Stream.Stream<QueryChunk, QueryError>
  /** Asks the process for something else. The result is what its engine returns. */
  readonly call: (name: string, argument: unknown) => Effect.Effect<unknown, QueryError>
  /** Starts the process unless it runs. Succeeds when it can run queries. */
  readonly ensureOpened: Effect.Effect<void, StartError>
}

interface Call {
  readonly onChunk: (chunk: QueryChunk) => void
  readonly onAnswer: (outcome: Exit.Exit<unknown, QueryError>) => void
  /** Called when DuckDB has finished with the query, even if it was canceled. */
  readonly onEnd: () => void
  canceled: boolean
}

type Started = { readonly cancel: () => void; readonly more: (credits: number) => void }

type Message<Request> =
  | { readonly type: "run"; readonly request: Request }
  | { readonly type: "stream"; readonly request: Request; readonly credits: number }
  | { readonly type: "call"; readonly name: string; readonly argument: unknown }

const unavailable = (message: string) => new QueryError({ reason: "Unavailable", message })

/** One process and the queries that it runs. */
class Running<Options, Request> {
  readonly opened = Deferred.makeUnsafe<void, StartError>()
  readonly #calls = new Map<number, Call>()
  readonly #process: Bun.Subprocess<"ignore", "inherit", "pipe">
  #output = ""
  readonly #options: QueryChildOptions<Options>
  #lastId = 0

  constructor(options: QueryChildOptions<Options>, onExit: () => void) {
    this.#options = options
    this.#process = Bun.spawn([process.execPath, fileURLToPath(options.entry)], {
      env: { ...process.env, UV_THREADPOOL_SIZE: String(POOL_THREADS) },
      stdio: ["ignore", "inherit", "pipe"],
      serialization: "advanced",
      ipc: (message: FromChild) => this.#receive(message),
      onExit: (_process, code, signal) => {
        onExit()
        void Promise.race([forwarded, Bun.sleep(OUTPUT_MS)]).then(() => this.#end(this.#how(code, signal)))
      }
    })
    const forwarded = this.#forwardErrors()
    this.#send({ type: "open", options: options.open })
  }

  /** What the process prints about errors is printed here, too, and its end is kept. */
  async #forwardErrors(): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of this.#process.stderr) {
      process.stderr.write(chunk)
      this.#output = (this.#output + decoder.decode(chunk, { stream: true })).slice(-KEPT_OUTPUT)
    }
  }

  /** A process that was killed could not say why. */
  #how(code: number | null, signal: unknown): string {
    const name = typeof signal === "string" ? signal : `code ${code}`
    const reason = signal === "SIGKILL" ? null : lastWords(this.#output)
    return reason === null ? name : `${name} (${reason})`
  }

  start(message: Message<Request>, handlers: Omit<Call, "canceled">): Started {
    const id = ++this.#lastId
    const call: Call = { ...handlers, canceled: false }
    this.#calls.set(id, call)
    this.#send({ ...message, id })
    return {
      cancel: () => this.#cancel(id, call),
      more: (credits) => this.#send({ type: "more", id, credits })
    }
  }

  kill(): void {
    this.#process.kill("SIGKILL")
  }

  #send(message: ToChild<Options, Request>): void {
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
        Deferred.doneUnsafe(this.opened, Effect.fail(this.#options.refused(message.message)))
        this.kill()
        return
      case "notice":
        this.#options.onNotice?.(message.notice)
        return
      case "chunk":
        this.#calls.get(message.id)?.onChunk(message.chunk)
        return
      case "answered":
        this.#finish(message.id, Exit.succeed(message.result))
        return
      case "failed":
        this.#finish(message.id, Exit.fail(new QueryError({ reason: message.reason, message: message.message })))
    }
  }

  #finish(id: number, outcome: Exit.Exit<unknown, QueryError>): void {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    if (call === undefined) return
    call.onAnswer(outcome)
    call.onEnd()
  }

  #cancel(id: number, call: Call): void {
    if (!this.#calls.has(id)) return
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
    this.#options.onExit?.(how)
    Deferred.doneUnsafe(this.opened, Effect.fail(this.#options.refused(`its process ended with ${how}`)))
    for (const id of this.#calls.keys()) {
      this.#finish(
        id,
        Exit.fail(unavailable(`DuckDB's process ended with ${how} during the query. The next query starts it again.`))
      )
    }
  }
}

/** A number of places, each held while DuckDB works, even after the query was canceled. */
const makeSlots = (count: number) => {
  const slots = Semaphore.makeUnsafe(count)
  return {
    take: slots.take(1),
    release: () => {
      Effect.runSync(slots.release(1))
    }
  }
}

/**
 * A process that runs `entry`. It starts with the first use, and again after it ended. It ends with the scope or with this process. A
 * process of its own, because a running statement holds a thread of Bun's pool, which the spool needs to acknowledge events.
 */
export const makeQueryChild = Effect.fnUntraced(function* <Options, Request>(
  options: QueryChildOptions<Options>
): Effect.fn.Return<QueryChild<Request>, never, Scope.Scope> {
  let running: Running<Options, Request> | null = null
  const begin = (): Running<Options, Request> => {
    const started: Running<Options, Request> = new Running(options, () => {
      if (running === started) running = null
    })
    return started
  }
  const opened = Effect.suspend(() => {
    running ??= begin()
    const starting = running
    return Deferred.await(starting.opened).pipe(
      Effect.timeoutOrElse({
        duration: options.openMs,
        orElse: () => {
          starting.kill()
          return Effect.fail(options.refused(`it was not ready within ${options.openMs / 1_000} s`))
        }
      }),
      Effect.as(starting)
    )
  })
  const usable = Effect.mapError(opened, ({ message }) => unavailable(message))
  yield* Effect.addFinalizer(() => Effect.sync(() => running?.kill()))

  const querySlots = makeSlots(CONCURRENT)
  const streamSlots = makeSlots(CONCURRENT_STREAMS)

  const ask = (message: Message<Request>, slots: ReturnType<typeof makeSlots> | null) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const release = slots?.release ?? (() => {})
        if (slots !== null) yield* restore(slots.take)
        const child = yield* restore(usable).pipe(Effect.onError(() => Effect.sync(release)))
        const result = Deferred.makeUnsafe<unknown, QueryError>()
        const { cancel } = child.start(message, {
          onChunk: () => {},
          onAnswer: (outcome) => Deferred.doneUnsafe(result, outcome),
          onEnd: release
        })
        return yield* Effect.onInterrupt(restore(Deferred.await(result)), () => Effect.sync(cancel))
      })
    )

  const stream = (
    request: Request,
    { deadlineMs, spentMs = 0 }: StreamDeadline
  ): Stream.Stream<QueryChunk, QueryError> =>
    Stream.unwrap(
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const remaining = yield* makeRemaining(deadlineMs - spentMs)
          const inTime = <A>(effect: Effect.Effect<A, QueryError>) =>
            Effect.timeoutOrElse(effect, {
              duration: remaining(),
              orElse: () => Effect.fail(streamedTooLong(deadlineMs))
            })
          yield* inTime(restore(streamSlots.take))
          const child = yield* inTime(restore(usable)).pipe(Effect.onError(() => Effect.sync(streamSlots.release)))
          // At most as many chunks as there are credits.
          const chunks = yield* Queue.unbounded<QueryChunk, QueryError | Cause.Done>()
          const { cancel, more } = child.start(
            { type: "stream", request, credits: STREAM_CHUNKS },
            {
              onChunk: (chunk) => void Queue.offerUnsafe(chunks, chunk),
              onAnswer: (outcome) =>
                void (Exit.isSuccess(outcome) ? Queue.endUnsafe(chunks) : Queue.failCauseUnsafe(chunks, outcome.cause)),
              onEnd: streamSlots.release
            }
          )
          const timer = setTimeout(() => {
            Queue.failCauseUnsafe(chunks, Cause.fail(streamedTooLong(deadlineMs)))
            cancel()
          }, remaining())
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              clearTimeout(timer)
              cancel()
            })
          )
          return Stream.fromPull(
            Effect.succeed(
              Effect.map(Queue.take(chunks), (chunk) => {
                more(1)
                return [chunk] as const
              })
            )
          )
        })
      )
    )

  return {
    run: (request) => Effect.map(ask({ type: "run", request }, querySlots), (result) => result as QueryResult),
    stream,
    call: (name, argument) => ask({ type: "call", name, argument }, null),
    ensureOpened: Effect.asVoid(opened)
  }
})
