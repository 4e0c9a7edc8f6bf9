import { Context } from "effect"
import { HttpApiMiddleware, HttpApiSecurity, OpenApi } from "effect/http-api"
import { type Action, type Resource, Role, rolesAllowed } from "../../domain/Principal.ts"
import { Forbidden, PaymentRequired, ServiceUnavailable, Unauthorized } from "./problems.ts"

/** Identifies the caller by its API key and checks that it may do what the endpoint {@link requires}. */
export class Access extends HttpApiMiddleware.Service<Access>()("footfall/http/api/Access", {
  error: [Unauthorized, PaymentRequired, Forbidden, ServiceUnavailable],
  security: { key: HttpApiSecurity.bearer }
}) {}

export interface Permission {
  readonly action: Action
  readonly resource: Resource
}

/** The annotation of an endpoint. Without it, the endpoint rejects every caller. */
export const RequiredPermission = Context.Reference<Permission | null>("footfall/http/api/RequiredPermission", {
  defaultValue: () => null
})

/** Declares what the caller of an endpoint must be allowed to do. Its documentation has a 403 if any role is not. */
export const requires = (action: Action, resource: Resource): Context.Context<never> =>
  Context.make(RequiredPermission, { action, resource }).pipe(
    Context.merge(
      OpenApi.annotations({
        transform: (operation) =>
          rolesAllowed(action, resource).length === Role.literals.length ? withoutForbidden(operation) : operation
      })
    )
  )

const withoutForbidden = (operation: Record<string, unknown>): Record<string, unknown> => {
  const { "403": _, ...responses } = operation["responses"] as Record<string, unknown>
  return { ...operation, responses }
}
