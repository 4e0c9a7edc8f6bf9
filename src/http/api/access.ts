import { Context } from "effect"
import { HttpApiMiddleware, OpenApi } from "effect/http-api"
import { type Action, type Requirement, type ResourceType, requirementOf } from "../../domain/Principal.ts"
import { Forbidden, PaymentRequired, ServiceUnavailable, Unauthorized } from "./problems.ts"

/** Identifies the caller by its API key or session, and checks that it may do what the endpoint {@link requires}. */
export class Access extends HttpApiMiddleware.Service<Access>()("footfall/http/api/Access", {
  error: [Unauthorized, PaymentRequired, Forbidden, ServiceUnavailable]
}) {}

/** Who makes the request, after `Access` has identified the caller. */
export { CurrentPrincipal } from "../../ports/CurrentPrincipal.ts"

export interface Permission {
  readonly action: Action
  readonly resource: ResourceType
  /** The path parameter that holds the id of the site that the resource belongs to. */
  readonly siteParam: string | null
  /** Whether the handler checks the permission again, for the collection that the resource is in. */
  readonly isInCollection: boolean
}

/** The annotation of an endpoint. Without it, the endpoint rejects every caller. */
export const RequiredPermission = Context.Reference<Permission | null>("footfall/http/api/RequiredPermission", {
  defaultValue: () => null
})

/** The annotation of an endpoint that also works without a license: signing in, the license itself. */
export const OpenWithoutLicense = Context.Reference<boolean>("footfall/http/api/OpenWithoutLicense", {
  defaultValue: () => false
})

type Operation = Record<string, unknown>

/** Problems that an endpoint with this requirement never answers with. */
const IMPOSSIBLE: Readonly<Partial<Record<Requirement, ReadonlyArray<string>>>> = {
  anyone: ["401", "403"],
  caller: ["403"]
}

/** Says how to authenticate, and removes the problems that cannot occur, except for those that the endpoint itself `answers` with. */
const describeAccess = (requirement: Requirement | null, options: AccessOptions) => (operation: Operation) => {
  const impossible = [
    ...(requirement === null ? [] : (IMPOSSIBLE[requirement] ?? [])),
    ...(options.withoutLicense === true ? ["402"] : [])
  ].filter((status) => options.answers?.includes(status) !== true)
  const responses = Object.entries(operation["responses"] as Operation).filter(
    ([status]) => !impossible.includes(status)
  )
  return {
    ...operation,
    responses: Object.fromEntries(responses),
    security: requirement === "anyone" ? [] : [{ key: [] }, { session: [] }]
  }
}

interface AccessOptions {
  /** Names the path parameter with the id of the site that the resource belongs to, so that a caller who is limited to other sites is rejected. */
  readonly site?: string
  /** The caller must have the permission in some collection; the handler checks it for the right one. */
  readonly inCollection?: true
  /** The endpoint also works without a license. */
  readonly withoutLicense?: true
  /** Statuses of the endpoint's own problems, such as 401 for a wrong password. */
  readonly answers?: ReadonlyArray<string>
}

/**
 * Declares what the caller of an endpoint must be allowed to do; `domain/Principal.ts` has the rule.
 */
export const requires = (action: Action, resource: ResourceType, options: AccessOptions = {}): Context.Context<never> =>
  Context.make(RequiredPermission, {
    action,
    resource,
    siteParam: options.site ?? null,
    isInCollection: options.inCollection ?? false
  }).pipe(
    Context.add(OpenWithoutLicense, options.withoutLicense ?? false),
    Context.merge(
      OpenApi.annotations({
        transform: describeAccess(requirementOf(action, resource), options)
      })
    )
  )
