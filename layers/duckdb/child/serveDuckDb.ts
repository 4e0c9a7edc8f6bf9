import { setPriority } from "node:os"
import { QueryError } from "../../../src/ports/QueryEngine.ts"
import { Engine, firstLineOf } from "./Engine.ts"
import type { FromChild, RunRequest, ToChild } from "./protocol.ts"

/** On a busy machine, the process that acknowledges events runs first. */
const NICENESS = 10

/** Runs queries for the process that started this one (`makeDuckDbChild`), and ends with it. */
export const serveDuckDb = (): void => {
  setPriority(0, NICENESS)
  const post = (message: FromChild) => process.send?.(message)
  const running = new Map<number, AbortController>()
  let engine: Promise<Engine> = Promise.reject(new Error("not opened"))
  engine.catch(() => {})

  const open = async () => {
    try {
      await engine
      post({ type: "opened" })
    } catch (cause) {
      post({ type: "refused", message: firstLineOf(cause) })
    }
  }

  const run = async (id: number, request: RunRequest) => {
    const controller = new AbortController()
    running.set(id, controller)
    try {
      post({ type: "answered", id, result: await (await engine).run(request, controller.signal) })
    } catch (cause) {
      const { message, reason } =
        cause instanceof QueryError ? cause : { message: firstLineOf(cause), reason: "Unavailable" as const }
      post({ type: "failed", id, reason, message })
    } finally {
      running.delete(id)
    }
  }

  process.on("message", (message: ToChild) => {
    switch (message.type) {
      case "open":
        engine = Engine.open(message.options)
        return void open()
      case "run":
        return void run(message.id, message)
      case "cancel":
        running.get(message.id)?.abort()
    }
  })
  // Terminals and systemd signal every process of a group. The parent still waits for answers then; it ends this process.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {})
  process.on("disconnect", () => process.exit(0))
}
