import { Schema } from "effect"
import type { SettingState } from "../../../ports/Settings.ts"

export const SettingJson = Schema.Struct({
  name: Schema.String.annotate({ examples: ["rate-limit-events-per-second"] }),
  variable: Schema.String.annotate({
    description: "The environment variable, which takes precedence over the settings table",
    examples: ["RATE_LIMIT_EVENTS_PER_SECOND"]
  }),
  group: Schema.String.annotate({ examples: ["Collect"] }),
  value: Schema.NullOr(Schema.String).annotate({
    description: "Null without a value; `•••` for a secret",
    examples: ["100"]
  }),
  source: Schema.Literals(["environment", "table", "default"]).annotate({ description: "Where the value comes from" }),
  note: Schema.NullOr(Schema.String).annotate({
    description: "What the value does not show: rejected, overridden, or effective after the next start",
    examples: [null]
  }),
  default: Schema.String.annotate({ description: "The default, in words", examples: ["none: no limit"] }),
  accepts: Schema.String.annotate({ description: "The accepted values, in words", examples: ["a number above 0"] }),
  doc: Schema.String.annotate({ description: "What the setting does", examples: ["Events per second that …"] }),
  secret: Schema.Boolean.annotate({ description: "The value is never shown", examples: [false] }),
  environment_only: Schema.Boolean.annotate({
    description: "Needed before the settings table can be read, so it cannot be set here",
    examples: [false]
  }),
  live: Schema.Boolean.annotate({
    description: "A change takes effect within 5 s; otherwise at the next start",
    examples: [true]
  })
}).annotate({ identifier: "Setting", description: "A setting as a process that starts now would read it." })
export type SettingJson = typeof SettingJson.Type

/** A setting in a response of the API and in the CLI's JSON output. */
export const settingJson = ({ setting, value, source, note }: SettingState): SettingJson => ({
  name: setting.name,
  variable: setting.env,
  group: setting.group,
  value,
  source,
  note,
  default: setting.defaultText,
  accepts: setting.accepts,
  doc: setting.doc,
  secret: setting.secret,
  environment_only: setting.environmentOnly,
  live: setting.live
})
