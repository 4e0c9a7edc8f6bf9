import { Result, Schema } from "effect"
import { type SettingProblem, type SettingSource, type SettingState, SettingsError } from "../ports/Settings.ts"
import { decodeSetting, SETTINGS, type Setting } from "./settings.ts"

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

/** The variable's value. An empty flag counts as absent, as in Umami, so that the settings table can turn it on. */
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
  if (!setting.live && text !== shown(setting, running)) notes.push("Takes effect after a restart.")
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
  if (typeof setting.default === "boolean" && /^(0|false|off|no|)$/i.test(value.trim())) {
    return error(
      "Invalid",
      `${setting.env} is on with any value, even \`false\`, as in Umami; unset it to turn it off.`
    )
  }
  return Result.match(decodeSetting(setting, value), {
    onSuccess: () => null,
    onFailure: (message) => error("Invalid", message)
  })
}
