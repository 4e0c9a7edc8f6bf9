import { Result, Schema } from "effect"
import { isStorable } from "../lib/storable.ts"
import type { SettingType } from "./types.ts"

/** The groups of the documentation, in its order. */
export const SETTING_GROUPS = [
  "Server",
  "Storage",
  "Lake",
  "Warehouse",
  "Questions",
  "Collect",
  "Visitors",
  "People",
  "Single sign-on",
  "Sharing",
  "Security",
  "Feature gate",
  "Logging"
] as const
export type SettingGroup = (typeof SETTING_GROUPS)[number]

/** Something an operator can configure. Values are strings in the environment and in the settings table, and typed inside. */
export interface Setting<A> {
  /** Name in the settings table, the API and the CLI: the variable's name in lower kebab case. */
  readonly name: string
  /** Name of the environment variable; Umami's if Umami has one. */
  readonly env: string
  readonly group: SettingGroup
  readonly schema: Schema.Codec<A, string>
  /** The accepted values in words. */
  readonly accepts: string
  /** Whether an empty value is one of them. */
  readonly acceptsEmpty: boolean
  readonly default: A
  /** The default in words. */
  readonly defaultText: string
  /** One or two sentences for the documentation. */
  readonly doc: string
  /** The value is never shown. */
  readonly secret: boolean
  /** What is wrong with a rejected value, without the value itself. */
  readonly describe: (value: string) => string
  /** Read only from the environment, because it is needed before the settings table can be read. */
  readonly environmentOnly: boolean
  /** A change in the settings table takes effect without a restart. */
  readonly live: boolean
}

/** What a definition states; everything else about a setting follows from it. */
export interface Definition<A> {
  readonly env: string
  readonly type: SettingType<A>
  readonly default: NoInfer<A>
  readonly doc: string
  /** Only where the default itself does not say it. */
  readonly defaultText?: string
  /** Only where the type's own wording is too general. */
  readonly accepts?: string
  readonly secret?: true
  readonly environmentOnly?: true
  readonly live?: true
}

const defined: Array<Setting<unknown>> = []

/** Every setting defined so far. Use `SETTINGS` of `settings.ts`, which loads all groups first. */
export const definedSettings = (): ReadonlyArray<Setting<unknown>> => defined

/** Returns the function that defines the settings of a group. */
export const settingsOf =
  (group: SettingGroup) =>
  <A>(definition: Definition<A>): Setting<A> => {
    const { env, type } = definition
    const setting: Setting<A> = {
      name: env.toLowerCase().replaceAll("_", "-"),
      env,
      group,
      schema: type.schema,
      accepts: definition.accepts ?? type.accepts,
      acceptsEmpty: type.acceptsEmpty ?? false,
      default: definition.default,
      defaultText: definition.defaultText ?? type.defaultText?.(definition.default) ?? String(definition.default),
      doc: definition.doc,
      secret: definition.secret ?? false,
      describe: type.describe ?? (() => "has a value that is not valid (it may be a secret, so it is not shown)"),
      environmentOnly: definition.environmentOnly ?? false,
      live: definition.live ?? false
    }
    defined.push(setting as Setting<unknown>)
    return setting
  }

/** Decodes a value; fails with a sentence that names the variable, the value (unless it is secret) and the accepted values. */
export const decodeSetting = <A>(setting: Setting<A>, value: string): Result.Result<A, string> => {
  if (value === "" && !setting.acceptsEmpty) {
    return Result.fail(
      `${setting.env} is set but empty; it accepts ${setting.accepts}. Unset it to use the default (${setting.defaultText}).`
    )
  }
  if (!isStorable(value)) {
    return Result.fail(`${setting.env} must not contain the character U+0000 or half of a surrogate pair.`)
  }
  return Result.mapError(Schema.decodeUnknownResult(setting.schema)(value), () => {
    const given = setting.secret ? setting.describe(value) : `is ${JSON.stringify(value)}`
    return `${setting.env} ${given}; it accepts ${setting.accepts}.`
  })
}
