import { Console, Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { settingJson } from "../http/shared/json/setting.ts"
import { type SettingState, Settings } from "../ports/Settings.ts"
import { unknownSetting } from "../settings/resolve.ts"
import { findSetting } from "../settings/settings.ts"
import { details, json, printJson, table } from "./output.ts"

const name = Argument.String("name").pipe(
  Argument.withDescription("The setting's name (`cors-max-age`) or its variable (`CORS_MAX_AGE`)")
)

/** A default in the registry's words, which say what happens without a value. */
const valueText = ({ setting, source, value }: SettingState) =>
  typeof setting.default === "boolean"
    ? value
      ? "on"
      : "off"
    : source === "default"
      ? setting.defaultText.replaceAll("`", "")
      : value || "none"

const show = Effect.fnUntraced(function* (state: SettingState, asJson: boolean) {
  if (asJson) return yield* printJson(settingJson(state))
  const { setting, source, note } = state
  yield* Console.log(
    details([
      ["name", setting.name],
      ["variable", setting.env],
      ["value", valueText(state)],
      ["from", source],
      ...(note === null ? [] : [["note", note] as const]),
      ["default", setting.defaultText],
      ["accepts", setting.accepts],
      ["meaning", setting.doc],
      ["takes effect", setting.live ? "within 5 seconds" : "at the next start"]
    ])
  )
})

const list = Command.make(
  "list",
  { json },
  Effect.fn(function* ({ json: asJson }) {
    const states = yield* (yield* Settings).list
    if (asJson) return yield* printJson(states.map(settingJson))
    const noted = states.some(({ note }) => note !== null)
    yield* Console.log(
      table(
        ["NAME", "VALUE", "FROM", ...(noted ? ["NOTE"] : [])],
        states.map((state) => [state.setting.name, valueText(state), state.source, state.note ?? ""])
      )
    )
    yield* Console.log("\n`bun run footfall settings get NAME` tells what a setting means and accepts.")
  })
).pipe(Command.withDescription("List every setting, its value and where that comes from"))

const get = Command.make(
  "get",
  { name, json },
  Effect.fn(function* ({ name: text, json: asJson }) {
    const setting = findSetting(text)
    const state = (yield* (yield* Settings).list).find((each) => each.setting === setting)
    if (state === undefined) return yield* unknownSetting(text)
    yield* show(state, asJson)
  })
).pipe(
  Command.withDescription("Show a setting: value, default, what it means and accepts"),
  Command.withExamples([
    { command: "bun run footfall settings get TRUST_PROXY", description: "Whose headers about the client are believed" }
  ])
)

const set = Command.make(
  "set",
  { name, value: Argument.String("value").pipe(Argument.withDescription("The new value")), json },
  Effect.fn(function* ({ name: text, value, json: asJson }) {
    yield* show(yield* (yield* Settings).set(text, value), asJson)
  })
).pipe(
  Command.withDescription("Keep a value in the settings table, for every process of the instance"),
  Command.withExamples([
    {
      command: "bun run footfall settings set rate-limit-events-per-second 100",
      description: "Limit every site to 100 events a second"
    }
  ])
)

const unset = Command.make(
  "unset",
  { name, json },
  Effect.fn(function* ({ name: text, json: asJson }) {
    yield* show(yield* (yield* Settings).unset(text), asJson)
  })
).pipe(
  Command.withDescription("Take a value out of the settings table: back to the default"),
  Command.withExamples([
    {
      command: "bun run footfall settings unset rate-limit-events-per-second",
      description: "No limit any more"
    }
  ])
)

export const settings = Command.make("settings").pipe(
  Command.withDescription(
    "Read and change settings; the environment comes before the table, the table before the default"
  ),
  Command.withSubcommands([list, get, set, unset])
)
