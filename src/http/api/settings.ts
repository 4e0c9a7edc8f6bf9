import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Settings, type SettingsError } from "../../ports/Settings.ts"
import { findSetting } from "../../settings/settings.ts"
import { AdminApi, type SettingJson } from "./Api.ts"
import { Conflict, NotFound, ServiceUnavailable, UnprocessableContent } from "./Problem.ts"
import { settingJson } from "./settingJson.ts"

const unavailable = (error: SettingsError) => new ServiceUnavailable({ detail: error.message })

/** `Invalid` never comes from taking a value away. */
const unsetProblem = (error: SettingsError) => {
  switch (error.reason) {
    case "Unknown":
      return new NotFound({ detail: error.message })
    case "ReadOnly":
      return new Conflict({ detail: error.message })
    default:
      return unavailable(error)
  }
}

export const SettingsHandlers = HttpApiBuilder.group(
  AdminApi,
  "settings",
  Effect.fn(function* (handlers) {
    const settings = yield* Settings
    return handlers.handleAll({
      list: () => Effect.mapBoth(settings.list, { onSuccess: (all) => all.map(settingJson), onFailure: unavailable }),
      get: ({ params }) =>
        Effect.mapError(settings.list, unavailable).pipe(
          Effect.flatMap((all): Effect.Effect<SettingJson, NotFound> => {
            const asked = findSetting(params.name)
            const found = all.find(({ setting }) => setting === asked)
            return found === undefined
              ? Effect.fail(
                  new NotFound({ detail: `There is no setting ${JSON.stringify(params.name.slice(0, 100))}.` })
                )
              : Effect.succeed(settingJson(found))
          })
        ),
      set: ({ params, payload }) =>
        Effect.mapBoth(settings.set(params.name, payload.value), {
          onSuccess: settingJson,
          onFailure: (error) =>
            error.reason === "Invalid"
              ? new UnprocessableContent({
                  detail: error.message,
                  errors: [{ pointer: "#/value", detail: error.message }]
                })
              : unsetProblem(error)
        }),
      unset: ({ params }) =>
        Effect.mapBoth(settings.unset(params.name), { onSuccess: settingJson, onFailure: unsetProblem })
    })
  })
)
