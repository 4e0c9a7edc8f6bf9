import { Schema } from "effect"
import { type SettingProblem, type SettingSource, type SettingState, SettingsError } from "../ports/Settings.ts"
import { decodeSetting, SETTINGS, type Setting } from "./settings.ts"

/** Variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Values of the settings table by name. */
export type SettingsTable = ReadonlyMap<string, string>

/** One setting's value by the rule environment, table, default; a wrong value counts as absent and is a `problem`. */
export interface Resolved {
  readonly value: unknown
  readonly source: SettingSource
  readonly problem: SettingProblem | null
}

/** The variable's text; an empty one counts as absent, as in Umami. */
const variable = (setting: Setting<unknown>, environment: Environment): string | undefined =>
  environment[setting.env] || undefined

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
    const decoded = decodeSetting(setting, given)
    return decoded.ok
      ? { value: decoded.value, source: "environment", problem: null }
      : fallback({ source: "environment", message: decoded.message })
  }
  const kept = setting.environmentOnly ? undefined : table.get(setting.name)
  if (kept === undefined) return fallback(null)
  const decoded = decodeSetting(setting, kept)
  return decoded.ok
    ? { value: decoded.value, source: "table", problem: null }
    : fallback({ source: "table", message: inTable(decoded.message, setting) })
}

/** Every setting's value, in the registry's order. */
export const resolveAll = (environment: Environment, table: SettingsTable): Map<Setting<unknown>, Resolved> =>
  new Map(SETTINGS.map((setting) => [setting, resolve(setting, environment, table)]))

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

/** What people see of a setting: what a process started now would run with, and what that does not say. */
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
      notes.push("The settings table has a value too; this setting is read from the environment alone.")
    else if (source === "environment") notes.push("The environment overrides the value in the settings table.")
  }
  const text = shown(setting, value)
  if (!setting.live && text !== shown(setting, running)) notes.push("In force after the next start.")
  return { setting, value: text, source, problem, note: notes.length === 0 ? null : notes.join(" ") }
}

/** Names that someone may have meant: the one a part of the other, whatever joins the words. */
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
    message: `There is no setting ${JSON.stringify(name.slice(0, 100))}; ${
      similar.length > 0 ? `is it ${similar.map((each) => `\`${each}\``).join(" or ")}? ` : ""
    }\`bun run footfall settings list\` shows all of them.`
  })
}

/** Why this text can't be put into the table, or null when it can. */
export const refusal = (
  setting: Setting<unknown>,
  environment: Environment,
  text: string | null
): SettingsError | null => {
  const no = (reason: "ReadOnly" | "Invalid", message: string) => new SettingsError({ reason, message })
  if (setting.environmentOnly) {
    return no("ReadOnly", `${setting.env} is read from the environment alone; set the variable and start again.`)
  }
  if (text === null) return null
  if (variable(setting, environment) !== undefined) {
    return no(
      "ReadOnly",
      `${setting.env} is set in this process's environment, which comes before the settings table; change it there.`
    )
  }
  if (typeof setting.default === "boolean" && /^(0|false|off|no|)$/i.test(text.trim())) {
    return no(
      "Invalid",
      `${setting.env} is on with any value, \`false\` included, as in Umami; unset it to turn it off.`
    )
  }
  const decoded = decodeSetting(setting, text)
  return decoded.ok ? null : no("Invalid", decoded.message)
}
