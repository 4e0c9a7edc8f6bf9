import { setPriority } from "node:os"
import { type QueryChunk, QueryError, type QueryResult } from "../../../src/ports/QueryEngine.ts"
import { Credits } from "./Credits.ts"
import { firstLineOf } from "./execute.ts"
import type { FromChild, ToChild } from "./protocol.ts"

/** On a busy machine, the process that acknowledges events runs first. */
const NICENESS = 10
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
  readonly credits: Credits | null
}

const post = (message: FromChild) => process.send?.(message)

/** Runs queries for the process that started this one (`makeQueryChild`), and ends with it. */
export const serveQueries = <Options, Request>(
  open: (options: Options, notify: (notice: unknown) => void) => Promise<ServedEngine<Request>>
): void => {
  setPriority(0, NICENESS)
  const running = new Map<number, Work>()
  let engine: Promise<ServedEngine<Request>> = Promise.reject(new Error("not opened"))
  engine.catch(() => {})

  const begin = async (options: Options) => {
    engine = open(options, (notice) => post({ type: "notice", notice }))
    try {
      await engine
      post({ type: "opened" })
    } catch (cause) {
      post({ type: "refused", message: firstLineOf(cause) })
    }
  }

  /** Does a piece of work and answers with its result or failure. */
  const answer = async (id: number, credits: number | null, work: (work: Work) => Promise<unknown>) => {
    const controller = new AbortController()
    const own = { controller, credits: credits === null ? null : new Credits(credits, controller.signal) }
    running.set(id, own)
    try {
      post({ type: "answered", id, result: await work(own) })
    } catch (cause) {
      const { message, reason } =
        cause instanceof QueryError ? cause : { message: firstLineOf(cause), reason: "Unavailable" as const }
      post({ type: "failed", id, reason, message })
    } finally {
      running.delete(id)
    }
  }

  const receive = (message: ToChild<Options, Request>): void => {
    switch (message.type) {
      case "open":
        return void begin(message.options)
      case "run":
        return void answer(message.id, null, async ({ controller }) =>
          (await engine).run(message.request, controller.signal)
        )
      case "stream": {
        const { id, request } = message
        return void answer(id, message.credits, async ({ controller, credits }) =>
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
        return void answer(message.id, null, async ({ controller }) => {
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
