import { Result, Schema } from "effect"
import { type SettingProblem, type SettingSource, type SettingState, SettingsError } from "../ports/Settings.ts"
import { decodeSetting, SETTINGS, type Setting } from "./settings.ts"
import { startProblems, unfinishedPairs } from "./startProblems.ts"

/** Variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Values of the settings table by name. */
export type SettingsTable = ReadonlyMap<string, string>

/** A setting's value by precedence: environment, table, default. An invalid value counts as absent and is reported as `problem`. */
export interface Resolved {
  readonly value: unknown
  readonly source: SettingSource
  readonly problem: SettingProblem | null
}

/** The variable's value. An empty list or switch counts as absent, so that the settings table can fill it. */
const variable = (setting: Setting<unknown>, environment: Environment): string | undefined =>
  environment[setting.env] === "" && setting.acceptsEmpty ? undefined : environment[setting.env]

const inTable = (problem: string, setting: Setting<unknown>) =>
  `${problem} It comes from the settings table: \`bun run footfall settings set ${setting.name} …\` or \`unset\` it.`

export const resolve = (setting: Setting<unknown>, environment: Environment, table: SettingsTable): Resolved => {
  const fallback = (problem: SettingProblem | null): Resolved => ({
    value: setting.default,
    source: "default",
    problem
  })
  const given = variable(setting, environment)
  if (given !== undefined) {
    return Result.match(decodeSetting(setting, given), {
      onSuccess: (value): Resolved => ({ value, source: "environment", problem: null }),
      onFailure: (message) => fallback({ source: "environment", message })
    })
  }
  const stored = setting.environmentOnly ? undefined : table.get(setting.name)
  if (stored === undefined) return fallback(null)
  return Result.match(decodeSetting(setting, stored), {
    onSuccess: (value): Resolved => ({ value, source: "table", problem: null }),
    onFailure: (message) => fallback({ source: "table", message: inTable(message, setting) })
  })
}

/** Every setting's value, in the registry's order. */
export const resolveAll = (environment: Environment, table: SettingsTable): Map<Setting<unknown>, Resolved> =>
  new Map(SETTINGS.map((setting) => [setting, resolve(setting, environment, table)]))

/** What is wrong with the settings, one message each. */
export const problemsIn = (resolved: ReadonlyMap<Setting<unknown>, Resolved>): ReadonlyArray<string> =>
  [...resolved.values()].flatMap(({ problem }) => problem?.message ?? [])

/** The values that this process runs with. */
export class RunningValues {
  private readonly values: Map<Setting<unknown>, unknown>

  constructor(resolved: ReadonlyMap<Setting<unknown>, Resolved>) {
    this.values = new Map([...resolved].map(([setting, { value }]) => [setting, value]))
  }

  // A value is only ever stored under its own setting, which decoded it.
  get<A>(setting: Setting<A>): A {
    return this.values.get(setting as Setting<unknown>) as A
  }

  set(setting: Setting<unknown>, value: unknown): void {
    this.values.set(setting, value)
  }
}

const shown = (setting: Setting<unknown>, value: unknown): string | null =>
  value === null ? null : setting.secret ? "•••" : Schema.encodeUnknownSync(setting.schema)(value)

const unfinishedWith = (environment: Environment, table: SettingsTable): string | null => {
  const running = new RunningValues(resolveAll(environment, table))
  return unfinishedPairs((setting) => running.get(setting))
}

/** A setting as shown to people: the value that a process started now would run with, and notes about it. */
export const stateOf = (
  setting: Setting<unknown>,
  environment: Environment,
  table: SettingsTable,
  running: unknown
): SettingState => {
  const { value, source, problem } = resolve(setting, environment, table)
  const notes: Array<string> = []
  if (problem !== null) notes.push(problem.message)
  if (table.has(setting.name)) {
    if (setting.environmentOnly)
      notes.push("The settings table also has a value, but this setting is read only from the environment.")
    else if (source === "environment") notes.push("The environment overrides the value in the settings table.")
  }
  const text = shown(setting, value)
  const changes = text !== shown(setting, running)
  if (!setting.live && changes) notes.push("Takes effect after a restart.")
  const unfinished = changes ? unfinishedWith(environment, table) : null
  if (unfinished !== null) notes.push(`No process starts with this yet: ${unfinished}`)
  return { setting, value: text, source, problem, note: notes.length === 0 ? null : notes.join(" ") }
}

/** Settings whose name contains the given one or is contained in it, regardless of separators. */
const similarNames = (name: string): ReadonlyArray<string> => {
  const given = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")
  return given.length < 3
    ? []
    : SETTINGS.flatMap((setting) => (setting.name.includes(given) || given.includes(setting.name) ? setting.name : []))
}

export const unknownSetting = (name: string): SettingsError => {
  const similar = similarNames(name)
  return new SettingsError({
    reason: "Unknown",
    message: `There is no setting ${JSON.stringify(name.slice(0, 100))}. ${
      similar.length > 0 ? `Did you mean ${similar.map((known) => `\`${known}\``).join(" or ")}? ` : ""
    }Run \`bun run footfall settings list\` to see all settings.`
  })
}

/** Why the settings table cannot take this value (null: no value), or null if it can. */
export const invalidChange = (
  setting: Setting<unknown>,
  environment: Environment,
  value: string | null
): SettingsError | null => {
  const error = (reason: "ReadOnly" | "Invalid", message: string) => new SettingsError({ reason, message })
  if (setting.environmentOnly) {
    return error("ReadOnly", `${setting.env} is read only from the environment; set the variable and restart.`)
  }
  if (value === null) return null
  if (variable(setting, environment) !== undefined) {
    return error(
      "ReadOnly",
      `${setting.env} is set in this process's environment, which overrides the settings table; change it there.`
    )
  }
  // Postgres' strings have none.
  if (value.includes("\u0000")) return error("Invalid", `${setting.env} must not contain the character NUL.`)
  return Result.match(decodeSetting(setting, value), {
    onSuccess: () => null,
    onFailure: (message) => error("Invalid", message)
  })
}

const tableWith = (table: SettingsTable, setting: Setting<unknown>, value: string | null): SettingsTable => {
  const changed = new Map(table)
  if (value === null) changed.delete(setting.name)
  else changed.set(setting.name, value)
  return changed
}

/** Why no process could start after a change of the settings table, in the start's words; null if one can, or could not before. */
export const brokenStart = (
  setting: Setting<unknown>,
  environment: Environment,
  table: SettingsTable,
  value: string | null
): SettingsError | null => {
  const problemsWith = (values: SettingsTable) => {
    const running = new RunningValues(resolveAll(environment, values))
    return startProblems((each) => running.get(each))
  }
  const before = problemsWith(table)
  const message = problemsWith(tableWith(table, setting, value)).find((problem) => !before.includes(problem))
  return message === undefined ? null : new SettingsError({ reason: "Invalid", message })
}
