import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Settings, type SettingsError } from "../../../ports/Settings.ts"
import { findSetting } from "../../../settings/settings.ts"
import { settingJson } from "../../shared/json/setting.ts"
import { AdminApi } from "../AdminApi.ts"
import { Conflict, NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"

const unavailable = (error: SettingsError) => new ServiceUnavailable({ detail: error.message })

const unsetProblem = (error: SettingsError) => {
  switch (error.reason) {
    case "Unknown":
      return new NotFound({ detail: error.message })
    case "ReadOnly":
    // No process could start without the value.
    case "Invalid":
      return new Conflict({ detail: error.message })
    default:
      return unavailable(error)
  }
}

const setProblem = (error: SettingsError) =>
  error.reason === "Invalid"
    ? new UnprocessableContent({
        detail: error.message,
        errors: [{ pointer: "#/value", detail: error.message }]
      })
    : unsetProblem(error)

export const SettingsHandlers = HttpApiBuilder.group(
  AdminApi,
  "settings",
  Effect.fn(function* (handlers) {
    const settings = yield* Settings
    const list = Effect.mapError(settings.list, unavailable)
    return handlers.handleAll({
      list: () => Effect.map(list, (states) => states.map(settingJson)),
      get: Effect.fnUntraced(function* ({ params }) {
        const requested = findSetting(params.name)
        const state = (yield* list).find(({ setting }) => setting === requested)
        if (state === undefined) {
          return yield* new NotFound({ detail: `There is no setting ${JSON.stringify(params.name.slice(0, 100))}.` })
        }
        return settingJson(state)
      }),
      set: ({ params, payload }) =>
        Effect.mapBoth(settings.set(params.name, payload.value), { onSuccess: settingJson, onFailure: setProblem }),
      unset: ({ params }) =>
        Effect.mapBoth(settings.unset(params.name), { onSuccess: settingJson, onFailure: unsetProblem })
    })
  })
)
