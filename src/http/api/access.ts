import { Effect, Layer, Redacted } from "effect"
import type { HttpServerResponse } from "effect/http"
import type { unhandled } from "effect/Types"
import { AdminKeys } from "../../ports/AdminKeys.ts"
import { AdminAccess, ViewerAccess } from "./Api.ts"
import { Forbidden, ServiceUnavailable, Unauthorized } from "./Problem.ts"

type Handled = Effect.Effect<HttpServerResponse.HttpServerResponse, unhandled>

/** The record of the key that the request carries. */
const identify = (keys: AdminKeys["Service"], credential: Redacted.Redacted<string>) =>
  Effect.gen(function* () {
    const key = Redacted.value(credential)
    if (key === "") {
      return yield* new Unauthorized({
        detail: "Send an API key as `Authorization: Bearer ff_…`; `bun run footfall keys create` makes one."
      })
    }
    const record = yield* Effect.mapError(
      keys.verify(key),
      () => new ServiceUnavailable({ detail: "The key can't be checked while the app database is away." })
    )
    return record ?? (yield* new Unauthorized({ detail: "This API key is unknown or was revoked." }))
  })

export const AccessLayer: Layer.Layer<AdminAccess | ViewerAccess, never, AdminKeys> = Layer.merge(
  Layer.effect(
    ViewerAccess,
    Effect.map(AdminKeys, (keys) => ({
      key: (handled: Handled, { credential }) => Effect.andThen(identify(keys, credential), handled)
    }))
  ),
  Layer.effect(
    AdminAccess,
    Effect.map(AdminKeys, (keys) => ({
      key: (handled: Handled, { credential }) =>
        Effect.flatMap(
          identify(keys, credential),
          ({ role }): Effect.Effect<HttpServerResponse.HttpServerResponse, unhandled | Forbidden> =>
            role === "admin"
              ? handled
              : Effect.fail(
                  new Forbidden({ detail: `This needs a key with the role \`admin\`; yours is \`${role}\`.` })
                )
        )
    }))
  )
)
