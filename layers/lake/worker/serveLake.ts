import { Cause, Effect, Exit, Option, Scope } from "effect"
import type { IcebergError } from "../../iceberg/IcebergError.ts"
import { onceSuccessful } from "../../iceberg/onceSuccessful.ts"
import { initParquet } from "../../iceberg/parquet/wasm.ts"
import { giveWayInThread } from "../../inprocess/scheduling.ts"
import type { LakeConfig } from "../config.ts"
import { maintain } from "../maintain.ts"
import { openLake } from "../openLake.ts"
import { makeLakeWriter, type ReconcileEvents, type WriteEvents } from "../writer/LakeWriter.ts"
import type { Call, CallEvent, FromWorker, ToWorker } from "./protocol.ts"

declare const self: Worker

/**
 * The thread's niceness: on a busy machine, threads that answer clients run first. The lake's thread still gets a tenth of a core
 * that another thread keeps busy, enough for ten thousand events per second.
 */
const NICENESS = 10

const open = (config: LakeConfig) =>
  Effect.gen(function* () {
    const lake = yield* Scope.provide(openLake(config), yield* Scope.make())
    const writer = makeLakeWriter(lake)
    return (call: Call, report: (event: CallEvent) => void): Effect.Effect<unknown, IcebergError> => {
      const events: ReconcileEvents & WriteEvents = {
        onConflict: () => report({ kind: "conflict" }),
        onUnknown: () => report({ kind: "unknown" }),
        onCommitted: (committed) => report({ kind: "committed", committed }),
        onRolledBack: (rolledBack) => report({ kind: "rolled back", rolledBack }),
        onDamage: (damage) => report({ kind: "damage", damage })
      }
      switch (call.name) {
        case "prepare":
          return Effect.as(Effect.sync(initParquet), null)
        case "reconcile":
          return Effect.as(writer.reconcile(call.input, events), null)
        case "write":
          return writer.write(call.input, events)
        case "maintain":
          return maintain(lake, call.input)
      }
    }
  })

/** Serves a lake to the thread that started this one (`makeLakeThread`). */
export const serveLake = (): void => {
  giveWayInThread(NICENESS)
  const post = (message: FromWorker) => self.postMessage(message)
  let lake: Effect.Effect<Effect.Success<ReturnType<typeof open>>, IcebergError> = Effect.never
  self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if (data.type === "start") {
      lake = Effect.runSync(onceSuccessful(open(data.config)))
      return
    }
    const { id } = data
    Effect.runFork(Effect.flatMap(lake, (run) => run(data, (event) => post({ type: "event", id, event })))).addObserver(
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
