import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { FeatureGate } from "../../../ports/FeatureGate.ts"
import { Settings, type SettingsError } from "../../../ports/Settings.ts"
import { LICENSE_TOKEN } from "../../../settings/settings.ts"
import { AdminApi } from "../AdminApi.ts"
import { Conflict, ServiceUnavailable, UnprocessableContent } from "../problems.ts"

const STATES = { Open: "open", Licensed: "licensed", Off: "off" } as const

const unavailable = ({ message }: SettingsError) => new ServiceUnavailable({ detail: message })

const invalid = (detail: string) => new UnprocessableContent({ detail, errors: [{ pointer: "#/token", detail }] })

const setProblem = (error: SettingsError) => {
  switch (error.reason) {
    case "ReadOnly":
      return new Conflict({ detail: error.message })
    case "Invalid":
      return invalid(error.message)
    default:
      return unavailable(error)
  }
}

export const LicenseHandlers = HttpApiBuilder.group(
  AdminApi,
  "license",
  Effect.fn(function* (handlers) {
    const gate = yield* FeatureGate
    const settings = yield* Settings

    const current = Effect.gen(function* () {
      const states = yield* Effect.mapError(settings.list, unavailable)
      const state = gate.state()
      return {
        state: STATES[state._tag],
        expires_at: state._tag === "Licensed" ? new Date(state.expiresAt).toISOString() : null,
        why: state._tag === "Off" ? state.why : null,
        source: states.find(({ setting }) => setting.name === LICENSE_TOKEN.name)?.source ?? ("default" as const)
      }
    })

    return handlers.handleAll({
      get: () => current,
      set: Effect.fnUntraced(function* ({ payload: { token } }) {
        if (token !== null) {
          const state = yield* gate.check(token)
          if (state._tag === "Off") return yield* invalid(`This license is not valid: ${state.why}.`)
        }
        const { name } = LICENSE_TOKEN
        yield* Effect.mapError(token === null ? settings.unset(name) : settings.set(name, token.trim()), setProblem)
        yield* gate.refresh
        return yield* current
      })
    })
  })
)
