import { Context, Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { ANONYMOUS, denialOf, type Principal, requirementOf } from "../../../domain/Principal.ts"
import type { AdminKeys } from "../../../ports/AdminKeys.ts"
import type { Groups } from "../../../ports/Groups.ts"
import type { LocalCommands } from "../../../ports/LocalCommands.ts"
import type { Settings } from "../../../ports/Settings.ts"
import type { UserSessions } from "../../../ports/UserSessions.ts"
import { Access, CurrentPrincipal, type Permission, RequiredPermission } from "../access.ts"
import { Forbidden, Unauthorized } from "../problems.ts"
import { makeAuthenticate } from "./authenticate.ts"

/** Fails unless the principal may do what the endpoint requires. */
const authorize = Effect.fnUntraced(function* (principal: Principal, permission: Permission | null) {
  if (permission === null) return yield* new Forbidden({ detail: "This endpoint declares no permission." })
  const { action, isInCollection, resource, siteParam } = permission
  const site = siteParam === null ? undefined : ((yield* HttpRouter.params)[siteParam] ?? "")
  const denial = denialOf(principal, action, {
    type: resource,
    ...(site !== undefined && { site }),
    ...(isInCollection && { collection: "any" })
  })
  if (denial === null) return
  const { detail } = denial
  return yield* denial.reason === "Unauthenticated" ? new Unauthorized({ detail }) : new Forbidden({ detail })
})

/** Runs before the request is decoded, so that a caller without access learns nothing about the body it sent. */
export const layer: Layer.Layer<Access, never, AdminKeys | Groups | LocalCommands | Settings | UserSessions> =
  Layer.effect(
    Access,
    Effect.map(
      makeAuthenticate,
      (authenticate) =>
        (handled, { endpoint }) =>
          Effect.gen(function* () {
            const permission = Context.get(endpoint.annotations, RequiredPermission)
            const isForAnyone =
              permission !== null && requirementOf(permission.action, permission.resource) === "anyone"
            // Who is signing in again may have an old credential; the endpoint checks where its request comes from.
            const principal = yield* isForAnyone ? Effect.orElseSucceed(authenticate, () => ANONYMOUS) : authenticate
            yield* authorize(principal, permission)
            return yield* Effect.provideService(handled, CurrentPrincipal, principal)
          })
    )
  )
