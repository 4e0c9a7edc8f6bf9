import { setPriority } from "node:os"
import { Cause, Effect, Exit, Option, Scope } from "effect"
import type { IcebergError } from "../../iceberg/IcebergError.ts"
import { onceSuccessful } from "../../iceberg/onceSuccessful.ts"
import { initParquet } from "../../iceberg/parquet/wasm.ts"
import type { LakeConfig } from "../LakeConfig.ts"
import { maintain } from "../maintain.ts"
import { openLake } from "../openLake.ts"
import { type CompareEvents, type FlushEvents, makeLakeWriter } from "../writer/LakeWriter.ts"
import type { Call, CallEvent, FromWorker, ToWorker } from "./protocol.ts"

declare const self: Worker

/**
 * The thread's niceness: on a busy machine those who answer clients go first. It still gets a tenth of a core that another thread
 * would take whole, enough for ten thousand events a second.
 */
const NICENESS = 10

const open = (config: LakeConfig) =>
  Effect.gen(function* () {
    const lake = yield* Scope.provide(openLake(config), yield* Scope.make())
    const writer = makeLakeWriter(lake)
    return (call: Call, tell: (event: CallEvent) => void): Effect.Effect<unknown, IcebergError> => {
      const events: CompareEvents & FlushEvents = {
        onConflict: () => tell({ kind: "conflict" }),
        onUnknown: () => tell({ kind: "unknown" }),
        onCommitted: (committed) => tell({ kind: "committed", committed }),
        onFellBack: (fellBack) => tell({ kind: "fell back", fellBack }),
        onDamage: (damage) => tell({ kind: "damage", damage })
      }
      switch (call.name) {
        case "prepare":
          return Effect.as(Effect.sync(initParquet), null)
        case "compare":
          return Effect.as(writer.compare(call.given, events), null)
        case "flush":
          return writer.flush(call.given.log, call.given.upTo, events)
        case "maintain":
          return maintain(lake, call.given)
      }
    }
  })

/** Serves a lake to the thread that started this one (`makeLakeThread`). */
export const serveLake = (): void => {
  // Of this thread alone: Linux keeps it for each. Elsewhere it would be the process's.
  if (process.platform === "linux") setPriority(0, NICENESS)
  const post = (message: FromWorker) => self.postMessage(message)
  let lake: Effect.Effect<Effect.Success<ReturnType<typeof open>>, IcebergError> = Effect.never
  self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if (data.type === "start") {
      lake = Effect.runSync(onceSuccessful(open(data.config)))
      return
    }
    const { id } = data
    Effect.runFork(Effect.flatMap(lake, (run) => run(data, (event) => post({ type: "told", id, event })))).addObserver(
      (exit) => {
        if (Exit.isSuccess(exit)) return post({ type: "answered", id, answer: exit.value })
        const failure = Cause.findErrorOption(exit.cause)
        if (Option.isSome(failure)) {
          return post({ type: "failed", id, reason: failure.value.reason, message: failure.value.message })
        }
        post({ type: "defect", id, message: Cause.pretty(exit.cause) })
      }
    )
  }
}
