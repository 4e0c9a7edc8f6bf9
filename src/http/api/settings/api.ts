import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { SettingJson } from "../../shared/json/setting.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { Conflict, NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"

const byName = {
  params: {
    name: Schema.String.annotate({
      description: "The name of the setting or of its variable",
      examples: ["rate-limit-events-per-second"]
    })
  }
}

const SettingValueJson = Schema.Struct({
  value: Schema.String.annotate({ description: "As in the environment variable", examples: ["100"] })
}).annotate({ identifier: "SettingValue" })

export class SettingsApi extends HttpApiGroup.make("settings")
  .add(
    HttpApiEndpoint.get("list", "/settings", {
      success: Schema.Array(SettingJson).annotate({ description: "Every setting." }),
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "settings"))
      .annotateMerge(endpointDocs("List settings", "Every setting with its value and source.")),
    HttpApiEndpoint.get("get", "/settings/:name", {
      ...byName,
      success: SettingJson,
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "settings"))
      .annotateMerge(endpointDocs("Get a setting")),
    HttpApiEndpoint.put("set", "/settings/:name", {
      ...byName,
      payload: SettingValueJson,
      success: SettingJson,
      error: [NotFound, Conflict, UnprocessableContent, ServiceUnavailable]
    })
      .annotateMerge(requires("update", "settings"))
      .annotateMerge(
        endpointDocs(
          "Set a setting",
          "Stores the value in the settings table, for every process of the instance. 409 if the environment overrides the setting."
        )
      ),
    HttpApiEndpoint.delete("unset", "/settings/:name", {
      ...byName,
      success: SettingJson,
      error: [NotFound, Conflict, ServiceUnavailable]
    })
      .annotateMerge(requires("delete", "settings"))
      .annotateMerge(
        endpointDocs("Unset a setting", "Removes the value from the settings table, which restores the default.")
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Settings",
      description: "Precedence: environment, settings table, default. Requires an administrator."
    })
  ) {}
