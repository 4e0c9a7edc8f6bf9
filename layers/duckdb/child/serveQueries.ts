import { type QueryChunk, QueryError, type QueryResult } from "../../../src/ports/QueryEngine.ts"
import { giveWay } from "../../inprocess/scheduling.ts"
import { Credits } from "./Credits.ts"
import { firstLineOf } from "./execute.ts"
import { mostMemory, watchMemory } from "./MemoryWatch.ts"
import type { FromChild, ToChild } from "./protocol.ts"

/** How long it may take to close the engine once the other process is gone. */
const CLOSE_MS = 3_000

/** What runs the queries of a process. */
export interface ServedEngine<Request> {
  readonly run: (request: Request, signal: AbortSignal) => Promise<QueryResult>
  readonly stream: (
    request: Request,
    signal: AbortSignal,
    onChunk: (chunk: QueryChunk) => Promise<void>
  ) => Promise<void>
  /** Anything else that can be asked of this engine, by name. */
  readonly call?: (name: string, argument: unknown, signal: AbortSignal) => Promise<unknown>
  /** Called before the process ends because the other one is gone. */
  readonly close?: () => Promise<void>
}

interface Work {
  readonly controller: AbortController
  /** Why it was interrupted, unless the other process wanted it. */
  failure: QueryError | null
  readonly credits: Credits | null
  readonly isQuery: boolean
}

/** How this process ends when it needs too much memory. */
const OUT_OF_MEMORY = 137

const tooMuchMemory = () =>
  new QueryError({
    reason: "TooLarge",
    message: "The questions that ran needed more memory than the server allows. Ask for fewer rows or shorter strings."
  })

const failureOf = (cause: unknown): Pick<QueryError, "message" | "reason"> =>
  cause instanceof QueryError
    ? { message: cause.message, reason: cause.reason }
    : { message: firstLineOf(cause), reason: "Unavailable" }

const post = (message: FromChild) => process.send?.(message)

/** Runs queries for the process that started this one (`makeQueryChild`), and ends with it. */
export const serveQueries = <Options extends { readonly memoryLimit: string }, Request>(
  open: (options: Options, notify: (notice: unknown) => void) => Promise<ServedEngine<Request>>
): void => {
  giveWay()
  const running = new Map<number, Work>()
  let engine: Promise<ServedEngine<Request>> = Promise.reject(new Error("not opened"))
  engine.catch(() => {})

  const begin = async (options: Options) => {
    watch(mostMemory(options.memoryLimit))
    engine = open(options, (notice) => post({ type: "notice", notice }))
    try {
      await engine
      // Threads may have begun while the first call was at work.
      giveWay()
      post({ type: "opened" })
    } catch (cause) {
      post({ type: "refused", message: firstLineOf(cause) })
    }
  }

  /** Does a piece of work and answers with its result or failure. */
  const answer = async (
    id: number,
    { credits, isQuery }: { readonly credits: number | null; readonly isQuery: boolean },
    work: (work: Work) => Promise<unknown>
  ) => {
    const controller = new AbortController()
    const own: Work = {
      controller,
      failure: null,
      isQuery,
      credits: credits === null ? null : new Credits(credits, controller.signal)
    }
    running.set(id, own)
    try {
      const result = await work(own)
      if (own.failure === null) post({ type: "answered", id, result })
    } catch (cause) {
      if (own.failure === null) post({ type: "failed", id, ...failureOf(cause) })
    } finally {
      running.delete(id)
    }
  }

  const watch = (most: number) =>
    watchMemory({
      most,
      onExceeded: () => {
        for (const [id, work] of running) {
          if (!work.isQuery || work.failure !== null) continue
          work.failure = tooMuchMemory()
          post({ type: "failed", id, ...failureOf(work.failure) })
          work.controller.abort()
        }
      },
      // A function that is making a text cannot be interrupted. The other process starts this one again.
      onStuck: () => process.exit(OUT_OF_MEMORY)
    })

  const receive = (message: ToChild<Options, Request>): void => {
    switch (message.type) {
      case "open":
        return void begin(message.options)
      case "run":
        return void answer(message.id, { credits: null, isQuery: true }, async ({ controller }) =>
          (await engine).run(message.request, controller.signal)
        )
      case "stream": {
        const { id, request } = message
        return void answer(id, { credits: message.credits, isQuery: true }, async ({ controller, credits }) =>
          (await engine).stream(request, controller.signal, async (chunk) => {
            await credits!.take()
            post({ type: "chunk", id, chunk })
          })
        )
      }
      case "more":
        running.get(message.id)?.credits?.give(message.credits)
        return
      case "call":
        return void answer(message.id, { credits: null, isQuery: false }, async ({ controller }) => {
          const opened = await engine
          if (opened.call === undefined) throw new Error(`unknown call ${message.name}`)
          return opened.call(message.name, message.argument, controller.signal)
        })
      case "cancel":
        running.get(message.id)?.controller.abort()
    }
  }

  process.on("message", receive)
  // Terminals and systemd signal every process of a group. The parent still waits for answers then; it ends this process.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {})
  process.on("disconnect", () => {
    const end = () => process.exit(0)
    setTimeout(end, CLOSE_MS)
    engine.then((opened) => opened.close?.()).then(end, end)
  })
}
