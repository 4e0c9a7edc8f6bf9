import { Effect, Layer } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import {
  brokenStart,
  type Environment,
  invalidChange,
  RunningValues,
  resolve,
  resolveAll,
  stateOf,
  unknownSetting
} from "../../../src/settings/resolve.ts"
import { findSetting, SETTINGS } from "../../../src/settings/settings.ts"

/**
 * Settings of this process only: from the given variables, otherwise from a table in memory that `set` writes, otherwise the defaults.
 * Refuses to start on an invalid variable, like the real one.
 */
export const layer = (environment: Environment = {}): Layer.Layer<Settings, StartError> =>
  Layer.effect(
    Settings,
    Effect.gen(function* () {
      const table = new Map<string, string>()
      const resolved = resolveAll(environment, table)
      const problems = [...resolved.values()].flatMap(({ problem }) => problem?.message ?? [])
      if (problems.length > 0) return yield* new StartError({ message: problems.join("\n") })
      const running = new RunningValues(resolved)

      const write = (name: string, text: string | null) =>
        Effect.gen(function* () {
          const setting = findSetting(name)
          if (setting === undefined) return yield* unknownSetting(name)
          const no = invalidChange(setting, environment, text)
          if (no !== null) return yield* no
          const broken = brokenStart(setting, environment, table, text)
          if (broken !== null) return yield* broken
          if (text === null) table.delete(setting.name)
          else table.set(setting.name, text)
          if (setting.live) running.set(setting, resolve(setting, environment, table).value)
          return stateOf(setting, environment, table, running.get(setting))
        })

      return Settings.of({
        get: (setting) => running.get(setting),
        list: Effect.sync(() => SETTINGS.map((setting) => stateOf(setting, environment, table, running.get(setting)))),
        set: write,
        unset: (name) => write(name, null)
      })
    })
  )
