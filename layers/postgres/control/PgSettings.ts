import { Effect, Layer, Semaphore } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { Settings, SettingsError } from "../../../src/ports/Settings.ts"
import {
  type Environment,
  invalidChange,
  RunningValues,
  resolve,
  resolveAll,
  type SettingsTable,
  stateOf,
  unknownSetting
} from "../../../src/settings/resolve.ts"
import { findSetting, SETTINGS } from "../../../src/settings/settings.ts"
import { AppDatabase } from "../client/Database.ts"
import { runStatement } from "../client/runStatement.ts"
import { Changes } from "./Changes.ts"

const READ = "SELECT name, value FROM product_analytics_setting"
const SET = `INSERT INTO product_analytics_setting (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = now()`
const UNSET = "DELETE FROM product_analytics_setting WHERE name = $1"

const make = (options: { readonly environment: Environment; readonly refuseWrong: boolean }) =>
  Effect.gen(function* () {
    const { environment, refuseWrong } = options
    const sql = yield* AppDatabase
    const changes = yield* Changes
    const ask = <Row extends object>(statement: string, values: ReadonlyArray<unknown> = []) =>
      runStatement(
        sql.unsafe<Row>(statement, values),
        (message) => new SettingsError({ reason: "Unavailable", message })
      )
    const read: Effect.Effect<SettingsTable, SettingsError> = Effect.map(
      ask<{ readonly name: string; readonly value: string }>(READ),
      (rows) => new Map(rows.map(({ name, value }) => [name, value]))
    )

    const table = yield* Effect.mapError(
      read,
      ({ message }) => new StartError({ message: `The settings can't be read: ${message}` })
    )
    const resolved = resolveAll(environment, table)
    const problems = [...resolved.values()].flatMap(({ problem }) => problem?.message ?? [])
    if (refuseWrong && problems.length > 0) return yield* new StartError({ message: problems.join("\n") })
    const running = new RunningValues(resolved)
    for (const name of table.keys()) {
      if (findSetting(name) === undefined) {
        yield* Effect.logWarning(`The settings table has ${JSON.stringify(name)}, which this version does not know.`)
      }
    }

    const wrong = new Map<string, string>()
    const oneAtATime = Semaphore.makeUnsafe(1)
    /** Live settings follow the table; a value that can't be read leaves the one before in force. */
    const follow = oneAtATime.withPermit(
      Effect.flatMap(read, (now) =>
        Effect.forEach(
          SETTINGS,
          (setting) => {
            if (!setting.live) return Effect.void
            const { value, problem } = resolve(setting, environment, now)
            if (problem === null) {
              wrong.delete(setting.name)
              running.set(setting, value)
              return Effect.void
            }
            if (wrong.get(setting.name) === problem.message) return Effect.void
            wrong.set(setting.name, problem.message)
            return Effect.logWarning(`${problem.message} The value before it stays in force.`)
          },
          { discard: true }
        )
      )
    )
    yield* changes.follow("settings", follow)

    const write = Effect.fnUntraced(function* (name: string, text: string | null) {
      const setting = findSetting(name)
      if (setting === undefined) return yield* unknownSetting(name)
      const no = invalidChange(setting, environment, text)
      if (no !== null) return yield* no
      yield* text === null ? ask(UNSET, [setting.name]) : ask(SET, [setting.name, text])
      yield* follow
      return stateOf(setting, environment, yield* read, running.get(setting))
    })

    return Settings.of({
      get: (setting) => running.get(setting),
      list: Effect.map(read, (now) =>
        SETTINGS.map((setting) => stateOf(setting, environment, now, running.get(setting)))
      ),
      set: write,
      unset: (name) => write(name, null)
    })
  })

/**
 * Settings from the environment, then the app database, then the registry's defaults. Any wrong value refuses to start, and
 * the error tells all of them; on the command line, which is there to put them right, they count as absent.
 */
export const layerWith = (options: {
  readonly environment: Environment
  readonly refuseWrong: boolean
}): Layer.Layer<Settings, StartError, AppDatabase | Changes> => Layer.effect(Settings, make(options))

export const layer = layerWith({ environment: process.env, refuseWrong: true })
