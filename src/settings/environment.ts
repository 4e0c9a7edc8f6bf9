import { Effect, Result } from "effect"
import { StartError } from "../domain/StartError.ts"
import { decodeSetting, type Setting } from "./Setting.ts"

/** A setting from the environment or its default, for what is needed before the settings table can be read. */
export const fromEnvironment = <A>(setting: Setting<A>): Effect.Effect<A, StartError> =>
  Effect.suspend(() => {
    const value = process.env[setting.env]
    if (value === undefined) return Effect.succeed(setting.default)
    return Result.match(decodeSetting(setting, value), {
      onSuccess: Effect.succeed,
      onFailure: (message) => Effect.fail(new StartError({ message }))
    })
  })
