import { Effect, type Scope } from "effect"
import { IcebergError } from "../../iceberg/IcebergError.ts"
import type { LakeConfig } from "../config.ts"
import type { CallEvent, FromWorker, Operations, ToWorker } from "./protocol.ts"

/** Works on the lake in a thread of its own, so that encoding and compressing never delay requests. */
export interface LakeThread {
  readonly call: <Name extends keyof Operations>(
    name: Name,
    input: Operations[Name]["input"],
    /** Called for each event before the answer, even if the answer is a failure. */
    onEvent?: (event: CallEvent) => void
  ) => Effect.Effect<Operations[Name]["answer"], IcebergError>
}

interface WaitingCall {
  readonly resume: (outcome: Effect.Effect<unknown, IcebergError>) => void
  readonly onEvent: (event: CallEvent) => void
}

interface Running {
  readonly worker: Worker
  readonly calls: Map<number, WaitingCall>
}

/**
 * A thread that runs `entry`, which must call `serveLake`. The first call starts it, and the first call after it ended starts it
 * again. Calls in progress when it ends fail as `Unavailable`. It ends with the scope.
 */
export const makeLakeThread = Effect.fnUntraced(function* (
  entry: URL,
  config: LakeConfig
): Effect.fn.Return<LakeThread, never, Scope.Scope> {
  let running: Running | null = null
  let lastId = 0

  const end = (ended: Running, reason: string): void => {
    if (running === ended) running = null
    ended.worker.terminate()
    const calls = [...ended.calls.values()]
    ended.calls.clear()
    for (const { resume } of calls) resume(Effect.fail(IcebergError.unavailable(`The lake's thread ended: ${reason}`)))
  }

  const start = (): Running => {
    const started: Running = { worker: new Worker(entry), calls: new Map() }
    const post = (message: ToWorker) => started.worker.postMessage(message)
    started.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      // The state after a defect is unknown: a trap in parquet-wasm makes its memory unusable.
      if (data.type === "defect") return end(started, data.message)
      const call = started.calls.get(data.id)
      if (data.type === "event") return call?.onEvent(data.event)
      started.calls.delete(data.id)
      call?.resume(
        data.type === "answered"
          ? Effect.succeed(data.answer)
          : Effect.fail(new IcebergError({ reason: data.reason, message: data.message }))
      )
    }
    started.worker.onerror = ({ message }) => end(started, message)
    started.worker.addEventListener("close", () => end(started, "it closed."))
    post({ type: "start", config })
    return started
  }

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      if (running !== null) end(running, "the process is stopping.")
    })
  )

  return {
    call: <Name extends keyof Operations>(
      name: Name,
      input: Operations[Name]["input"],
      onEvent: (event: CallEvent) => void = () => {}
    ) =>
      Effect.callback<Operations[Name]["answer"], IcebergError>((resume) => {
        running ??= start()
        const id = ++lastId
        running.calls.set(id, { resume: resume as WaitingCall["resume"], onEvent })
        running.worker.postMessage({ type: "call", id, name, input } as ToWorker)
      })
  }
})
