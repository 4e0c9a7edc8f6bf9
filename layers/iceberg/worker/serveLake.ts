import { Cause, Effect, Exit, Option, Scope } from "effect"
import type { IcebergError } from "../IcebergError.ts"
import type { LakeConfig } from "../LakeConfig.ts"
import { maintain } from "../maintenance/maintain.ts"
import { onceSuccessful } from "../onceSuccessful.ts"
import { openLake } from "../openLake.ts"
import { makeLakeWriter } from "../writer/LakeWriter.ts"
import type { Call, FromWorker, ToWorker } from "./protocol.ts"

declare const self: Worker

const open = (config: LakeConfig) =>
  Effect.gen(function* () {
    const lake = yield* Scope.provide(openLake(config), yield* Scope.make())
    const writer = makeLakeWriter(lake)
    return (call: Call): Effect.Effect<unknown, IcebergError> =>
      call.name === "flush" ? writer.flush(call.given.log, call.given.upTo) : maintain(lake, call.given)
  })

/** Serves a lake to the thread that started this one (`makeLakeThread`). */
export const serveLake = (): void => {
  const post = (message: FromWorker) => self.postMessage(message)
  let lake: Effect.Effect<Effect.Success<ReturnType<typeof open>>, IcebergError> = Effect.never
  self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if (data.type === "start") {
      lake = Effect.runSync(onceSuccessful(open(data.config)))
      return
    }
    const { id } = data
    Effect.runFork(Effect.flatMap(lake, (run) => run(data))).addObserver((exit) => {
      if (Exit.isSuccess(exit)) return post({ type: "answered", id, answer: exit.value })
      const failure = Cause.findErrorOption(exit.cause)
      if (Option.isSome(failure)) {
        return post({ type: "failed", id, reason: failure.value.reason, message: failure.value.message })
      }
      post({ type: "defect", id, message: Cause.pretty(exit.cause) })
    })
  }
}
