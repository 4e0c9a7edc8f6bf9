import { Effect } from "effect"
import { StartError } from "../domain/StartError.ts"
import { decodeSetting, type Setting } from "./settings.ts"

/** The variable's text; an empty one counts as absent, as in Umami. */
export const environmentText = (setting: Setting<unknown>): string | undefined => {
  const text = process.env[setting.env]
  return text === undefined || text === "" ? undefined : text
}

/** A setting from the environment or its default, for what is needed before the settings table can be reached. */
export const fromEnvironment = <A>(setting: Setting<A>): Effect.Effect<A, StartError> =>
  Effect.suspend(() => {
    const text = environmentText(setting as Setting<unknown>)
    if (text === undefined) return Effect.succeed(setting.default)
    const decoded = decodeSetting(setting, text)
    return decoded.ok ? Effect.succeed(decoded.value) : Effect.fail(new StartError({ message: decoded.message }))
  })
