import { Console, Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { settingJson } from "../http/shared/json/setting.ts"
import { type SettingState, Settings } from "../ports/Settings.ts"
import { unknownSetting } from "../settings/resolve.ts"
import { findSetting } from "../settings/settings.ts"
import { details, json, printJson, table } from "./output.ts"

const name = Argument.String("name").pipe(
  Argument.withDescription("The name of the setting (`cors-max-age`) or of its variable (`CORS_MAX_AGE`)")
)

/** The value as displayed; a default in words, because these say what happens without a value. */
const displayValue = ({ setting, source, value }: SettingState): string =>
  source === "default" ? setting.defaultText.replaceAll("`", "") : value || "none"

/** What a change did, in one line. `get` explains the setting. */
const showChange = Effect.fnUntraced(function* (state: SettingState, asJson: boolean) {
  if (asJson) return yield* printJson(settingJson(state))
  const { note, setting, source } = state
  const value = source === "default" ? `is the default again (${displayValue(state)})` : `is now ${displayValue(state)}`
  const notes = [...(setting.live ? ["Takes effect within 5 seconds."] : []), ...(note === null ? [] : [note])]
  yield* Console.log([`${setting.env} ${value}.`, ...notes].join(" "))
})

const show = Effect.fnUntraced(function* (state: SettingState, asJson: boolean) {
  if (asJson) return yield* printJson(settingJson(state))
  const { setting, source, note } = state
  yield* Console.log(
    details([
      ["name", setting.name],
      ["variable", setting.env],
      ["value", displayValue(state)],
      ["source", source],
      ...(note === null ? [] : [["note", note] as const]),
      ["default", setting.defaultText],
      ["accepts", setting.accepts],
      ["meaning", setting.doc],
      ["takes effect", setting.live ? "within 5 seconds" : "at the next start"]
    ])
  )
})

export const list = Command.make(
  "list",
  { json },
  Effect.fn(function* (flags) {
    const states = yield* (yield* Settings).list
    if (flags.json) return yield* printJson(states.map(settingJson))
    const hasNotes = states.some(({ note }) => note !== null)
    yield* Console.log(
      table(
        ["NAME", "VALUE", "SOURCE", ...(hasNotes ? ["NOTE"] : [])],
        states.map((state) => [state.setting.name, displayValue(state), state.source, state.note ?? ""])
      )
    )
    yield* Console.log("\nRun `bun run footfall settings get NAME` to see what a setting does and accepts.")
  })
).pipe(Command.withDescription("List every setting with its value and source"))

export const get = Command.make(
  "get",
  { name, json },
  Effect.fn(function* (flags) {
    const setting = findSetting(flags.name)
    const state = (yield* (yield* Settings).list).find((candidate) => candidate.setting === setting)
    if (state === undefined) return yield* unknownSetting(flags.name)
    yield* show(state, flags.json)
  })
).pipe(
  Command.withDescription("Show a setting: its value, default, meaning and accepted values"),
  Command.withExamples([
    {
      command: "bun run footfall settings get TRUST_PROXY",
      description: "Show which proxies may set the client's address"
    }
  ])
)

export const set = Command.make(
  "set",
  { name, value: Argument.String("value").pipe(Argument.withDescription("The new value")), json },
  Effect.fn(function* (flags) {
    yield* showChange(yield* (yield* Settings).set(flags.name, flags.value), flags.json)
  })
).pipe(
  Command.withDescription("Store a value in the settings table, for every process of the instance"),
  Command.withExamples([
    {
      command: "bun run footfall settings set rate-limit-events-per-second 100",
      description: "Limit every site to 100 events per second"
    }
  ])
)

export const unset = Command.make(
  "unset",
  { name, json },
  Effect.fn(function* (flags) {
    yield* showChange(yield* (yield* Settings).unset(flags.name), flags.json)
  })
).pipe(
  Command.withDescription("Remove a value from the settings table, which restores the default"),
  Command.withExamples([
    {
      command: "bun run footfall settings unset rate-limit-events-per-second",
      description: "Remove the limit"
    }
  ])
)

/** The parent of the `settings` commands. Only some of them may create an instance, so the process that runs them lists them. */
export const settings = Command.make("settings").pipe(
  Command.withDescription(
    "Read and change settings; the environment takes precedence over the settings table, and the table over the default"
  )
)
