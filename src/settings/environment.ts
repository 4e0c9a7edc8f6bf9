import { Effect, Result } from "effect"
import { StartError } from "../domain/StartError.ts"
import { problemsIn, RunningValues, resolveAll } from "./resolve.ts"
import { decodeSetting, type Setting } from "./Setting.ts"
import { warehouseProblem } from "./startProblems.ts"
import { STORAGE_BACKEND } from "./storage.ts"
import { WAREHOUSE } from "./warehouse.ts"

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

const isGiven = ({ env }: { readonly env: string }): boolean => process.env[env] !== undefined

/** Fails if the environment has what the settings table could not correct, for a process that can't read the table yet. */
export const checkEnvironment: Effect.Effect<void, StartError> = Effect.suspend(() => {
  const resolved = resolveAll(process.env, new Map())
  const invalid = problemsIn(resolved)
  const running = new RunningValues(resolved)
  const pair =
    isGiven(STORAGE_BACKEND) && isGiven(WAREHOUSE) ? warehouseProblem((setting) => running.get(setting)) : null
  const problems = invalid.length > 0 || pair === null ? invalid : [pair]
  return problems.length === 0 ? Effect.void : Effect.fail(new StartError({ message: problems.join("\n") }))
})
