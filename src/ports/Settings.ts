import { Context, type Effect, Schema } from "effect"
import type { Setting } from "../settings/settings.ts"

/** Where a setting's current value came from. */
export type SettingSource = "environment" | "table" | "default"

/** A value that was rejected, so that the default applies. `message` names the setting, the value and what it accepts. */
export interface SettingProblem {
  readonly source: "environment" | "table"
  readonly message: string
}

/**
 * A setting as displayed. A secret's `value` is `•••`; without a value it is null. `note` explains in words what the value does
 * not show: rejected, overridden by the environment, effective after the next start. Code reads `problem` instead.
 */
export interface SettingState {
  readonly setting: Setting<unknown>
  readonly value: string | null
  readonly source: SettingSource
  readonly problem: SettingProblem | null
  readonly note: string | null
}

/**
 * - `Unknown`: no setting has this name.
 * - `Invalid`: not an accepted value; `message` names the setting, the value and what it accepts.
 * - `ReadOnly`: the setting is read only from the environment, or the environment overrides it.
 * - `Unavailable`: the app database cannot be reached.
 */
export class SettingsError extends Schema.TaggedError<SettingsError>()("SettingsError", {
  reason: Schema.Literals(["Unknown", "Invalid", "ReadOnly", "Unavailable"]),
  message: Schema.String
}) {}

/** The settings' values: the environment takes precedence over the settings table, and that over the default. */
export class Settings extends Context.Service<
  Settings,
  {
    /** The value that this process runs with. A `live` setting follows the table within 5 s; others never change. */
    readonly get: <A>(setting: Setting<A>) => A
    readonly list: Effect.Effect<ReadonlyArray<SettingState>, SettingsError>
    /** Writes to the table. Every process of the instance sees it: live settings within 5 s, others after a restart. */
    readonly set: (name: string, value: string) => Effect.Effect<SettingState, SettingsError>
    /** Removes the value from the table, which restores the default. */
    readonly unset: (name: string) => Effect.Effect<SettingState, SettingsError>
  }
>()("footfall/ports/Settings") {}
