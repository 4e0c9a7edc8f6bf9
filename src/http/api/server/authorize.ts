import { Context, Effect, Layer, Redacted } from "effect"
import { Principal, rolesAllowed } from "../../../domain/Principal.ts"
import { AdminKeys } from "../../../ports/AdminKeys.ts"
import { Access, type Permission, RequiredPermission } from "../access.ts"
import { Forbidden, ServiceUnavailable, Unauthorized } from "../problems.ts"

/** The principal whose API key the request carries. */
const authenticate = Effect.fnUntraced(function* (keys: AdminKeys["Service"], credential: Redacted.Redacted<string>) {
  const key = Redacted.value(credential)
  if (key === "") {
    return yield* new Unauthorized({
      detail: "Send an API key as `Authorization: Bearer ff_…`; `bun run footfall keys create` creates one."
    })
  }
  const record = yield* Effect.mapError(
    keys.verify(key),
    () => new ServiceUnavailable({ detail: "The key can't be checked while the app database is unreachable." })
  )
  if (record === null) return yield* new Unauthorized({ detail: "This API key is unknown or was revoked." })
  return new Principal({ id: record.id, name: record.name, role: record.role })
})

const authorize = (principal: Principal, permission: Permission | null): Effect.Effect<void, Forbidden> => {
  if (permission === null) return Effect.fail(new Forbidden({ detail: "This endpoint declares no permission." }))
  const { action, resource } = permission
  if (principal.can(action, resource)) return Effect.void
  const roles = rolesAllowed(action, resource).map((role) => `\`${role}\``)
  return Effect.fail(
    new Forbidden({
      detail: `This requires a key with the role ${roles.join(" or ")}; yours is \`${principal.role}\`.`
    })
  )
}

/** Runs before the request is decoded, so that a caller without access learns nothing about the body it sent. */
export const layer: Layer.Layer<Access, never, AdminKeys> = Layer.effect(
  Access,
  Effect.map(AdminKeys, (keys) => ({
    key: (handled, { credential, endpoint }) =>
      authenticate(keys, credential).pipe(
        Effect.flatMap((principal) => authorize(principal, Context.get(endpoint.annotations, RequiredPermission))),
        Effect.andThen(handled)
      )
  }))
)
