import { Effect, Layer, Semaphore } from "effect"
import { StartError, startLater } from "../../../src/domain/StartError.ts"
import { Settings, SettingsError } from "../../../src/ports/Settings.ts"
import {
  brokenStart,
  type Environment,
  invalidChange,
  problemsIn,
  RunningValues,
  resolve,
  resolveAll,
  type SettingsTable,
  stateOf,
  unknownSetting
} from "../../../src/settings/resolve.ts"
import { findSetting, SETTINGS, type Setting } from "../../../src/settings/settings.ts"
import { AppDatabase } from "../client/Database.ts"
import { runStatement } from "../client/runStatement.ts"
import { audited } from "./audit.ts"
import { Changes } from "./Changes.ts"

const READ = "SELECT name, value FROM product_analytics_setting"
const SET = `INSERT INTO product_analytics_setting (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = now()`
const UNSET = "DELETE FROM product_analytics_setting WHERE name = $1"

export interface PgSettingsOptions {
  readonly environment: Environment
  /** Whether an invalid value keeps the process from starting. Otherwise it counts as absent. */
  readonly rejectInvalid: boolean
}

/** The settings table of the app database. */
const makeTable = Effect.map(AppDatabase, (sql) => {
  const unavailable = (message: string) => new SettingsError({ reason: "Unavailable", message })
  /** Runs a statement that changes a setting, and records it. The value of a secret is not recorded. */
  const change = (setting: Setting<unknown>, statement: string, value: string | null) =>
    runStatement(
      audited(sql, sql.unsafe(statement, value === null ? [setting.name] : [setting.name, value]), () => ({
        action: value === null ? "setting.unset" : "setting.set",
        targetKind: "setting",
        targetId: setting.name,
        targetName: setting.env,
        details: value === null ? {} : { value: setting.secret ? "•••" : value }
      })),
      unavailable
    )
  return {
    read: runStatement(
      Effect.map(
        sql.unsafe<{ readonly name: string; readonly value: string }>(READ),
        (rows): SettingsTable => new Map(rows.map(({ name, value }) => [name, value]))
      ),
      unavailable
    ),
    set: (setting: Setting<unknown>, value: string) => change(setting, SET, value),
    unset: (setting: Setting<unknown>) => change(setting, UNSET, null)
  }
})

/**
 * Updates the live settings to what the table says. An invalid value is logged once and leaves the previous value in effect.
 */
const makeReload = (
  environment: Environment,
  running: RunningValues,
  read: Effect.Effect<SettingsTable, SettingsError>
): Effect.Effect<void, SettingsError> => {
  const loggedProblems = new Map<string, string>()
  const update = (table: SettingsTable) =>
    Effect.forEach(
      SETTINGS,
      (setting) => {
        if (!setting.live) return Effect.void
        const { value, problem } = resolve(setting, environment, table)
        if (problem === null) {
          loggedProblems.delete(setting.name)
          running.set(setting, value)
          return Effect.void
        }
        if (loggedProblems.get(setting.name) === problem.message) return Effect.void
        loggedProblems.set(setting.name, problem.message)
        return Effect.logWarning(`${problem.message} The previous value stays in effect.`)
      },
      { discard: true }
    )
  // One reload at a time, so that an older read cannot overwrite a newer one.
  return Semaphore.makeUnsafe(1).withPermit(Effect.flatMap(read, update))
}

const make = Effect.fnUntraced(function* ({ environment, rejectInvalid }: PgSettingsOptions) {
  const table = yield* makeTable
  const changes = yield* Changes
  const initial = yield* Effect.mapError(table.read, ({ message }) => startLater(`Can't read the settings: ${message}`))
  const resolved = resolveAll(environment, initial)
  const problems = problemsIn(resolved)
  if (rejectInvalid && problems.length > 0) return yield* new StartError({ message: problems.join("\n") })
  for (const name of initial.keys()) {
    if (findSetting(name) === undefined) {
      yield* Effect.logWarning(`The settings table has ${JSON.stringify(name)}, which this version does not know.`)
    }
  }
  const running = new RunningValues(resolved)
  const reload = makeReload(environment, running, table.read)
  yield* changes.follow("settings", reload)

  const write = Effect.fnUntraced(function* (name: string, value: string | null) {
    const setting = findSetting(name)
    if (setting === undefined) return yield* unknownSetting(name)
    const invalid = invalidChange(setting, environment, value)
    if (invalid !== null) return yield* invalid
    const broken = brokenStart(setting, environment, yield* table.read, value)
    if (broken !== null) return yield* broken
    yield* value === null ? table.unset(setting) : table.set(setting, value)
    yield* reload
    return stateOf(setting, environment, yield* table.read, running.get(setting))
  })

  return Settings.of({
    get: (setting) => running.get(setting),
    list: Effect.map(table.read, (current) =>
      SETTINGS.map((setting) => stateOf(setting, environment, current, running.get(setting)))
    ),
    set: write,
    unset: (name) => write(name, null)
  })
})

/** Settings from the environment, else the app database, else their defaults. Fails with every invalid value if they are rejected. */
export const layerWith = (options: PgSettingsOptions): Layer.Layer<Settings, StartError, AppDatabase | Changes> =>
  Layer.effect(Settings, make(options))

/** The settings of a server, which does not start on an invalid value. */
export const layer = layerWith({ environment: process.env, rejectInvalid: true })
