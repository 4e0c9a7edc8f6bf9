import { Effect, Result } from "effect"
import { StartError } from "../domain/StartError.ts"
import { problemsIn, resolveAll } from "./resolve.ts"
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

/** Fails if the environment has an invalid setting, for a process that can't read the settings table yet. */
export const checkEnvironment: Effect.Effect<void, StartError> = Effect.suspend(() => {
  const problems = problemsIn(resolveAll(process.env, new Map()))
  return problems.length === 0 ? Effect.void : Effect.fail(new StartError({ message: problems.join("\n") }))
})
