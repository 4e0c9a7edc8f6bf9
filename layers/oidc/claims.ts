import { Predicate } from "effect"
import type { Identity } from "../../src/ports/Users.ts"
import type { GroupMap } from "../../src/settings/settings.ts"

type Claims = Readonly<Record<string, unknown>>

/** A claim by its name, or by its path, as in `realm_access.roles`. */
const claimAt = (claims: Claims, path: string): unknown => {
  if (Object.hasOwn(claims, path)) return claims[path]
  let found: unknown = claims
  for (const name of path.split(".")) {
    found = Predicate.isObject(found) && Object.hasOwn(found, name) ? (found as Claims)[name] : undefined
  }
  return found
}

/** The strings in a claim that is a string or a list. */
const stringsIn = (claim: unknown): ReadonlyArray<string> => {
  if (typeof claim === "string") return [claim]
  return Array.isArray(claim) ? claim.filter((value) => typeof value === "string") : []
}

const text = (claim: unknown): string | null => (typeof claim === "string" && claim.trim() !== "" ? claim.trim() : null)

export interface ClaimOptions {
  /** Null if groups are managed here. */
  readonly groupsClaim: string | null
  readonly groupMap: GroupMap
  readonly trustEmail: boolean
}

/** Every group that the map names, with whether the claims put the user into it. */
const managedGroups = (
  claims: Claims,
  { groupMap, groupsClaim }: ClaimOptions
): ReadonlyMap<string, boolean> | null => {
  if (groupsClaim === null) return null
  const values = new Set(stringsIn(claimAt(claims, groupsClaim)))
  const groups = new Map<string, boolean>()
  for (const [value, names] of groupMap.groupsOf) {
    for (const name of names) groups.set(name, groups.get(name) === true || values.has(value))
  }
  return groups
}

/** Whether claims lack what Footfall reads, so that the provider's user info endpoint is asked, too. */
export const isIncomplete = (claims: Claims, { groupsClaim }: ClaimOptions): boolean =>
  text(claims["email"]) === null ||
  claims["email_verified"] === undefined ||
  text(claims["name"]) === null ||
  (groupsClaim !== null && claimAt(claims, groupsClaim) === undefined)

/** The identity that the claims of an issuer describe (OpenID Connect Core 1.0, section 5.1). */
export const identityOf = (issuer: string, subject: string, claims: Claims, options: ClaimOptions): Identity => {
  const verified = claims["email_verified"]
  return {
    issuer,
    subject,
    email: text(claims["email"]),
    // Some providers send a string.
    isEmailVerified: options.trustEmail || verified === true || verified === "true",
    name: text(claims["name"]) ?? text(claims["preferred_username"]),
    groups: managedGroups(claims, options)
  }
}
