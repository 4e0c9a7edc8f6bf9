import { Effect, Result } from "effect"
import { StartError } from "../domain/StartError.ts"
import { decodeSetting, type Setting } from "./Setting.ts"

/** The variable's value; an empty one counts as absent, as in Umami. */
const environmentValue = (setting: Setting<unknown>): string | undefined => {
  const value = process.env[setting.env]
  return value === "" ? undefined : value
}

/** A setting from the environment or its default, for what is needed before the settings table can be read. */
export const fromEnvironment = <A>(setting: Setting<A>): Effect.Effect<A, StartError> =>
  Effect.suspend(() => {
    const value = environmentValue(setting as Setting<unknown>)
    if (value === undefined) return Effect.succeed(setting.default)
    return Result.match(decodeSetting(setting, value), {
      onSuccess: Effect.succeed,
      onFailure: (message) => Effect.fail(new StartError({ message }))
    })
  })
