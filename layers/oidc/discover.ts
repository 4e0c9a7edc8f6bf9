import type * as client from "openid-client"
import {
  OIDC_CLIENT_ID,
  OIDC_CLIENT_SECRET,
  OIDC_CLOCK_SKEW_SECONDS,
  OIDC_ISSUER
} from "../../src/settings/settings.ts"
import type { GetSetting } from "../../src/settings/startProblems.ts"

/** Loaded at the first use, since most instances have no provider. */
export const loadLibrary = () => import("openid-client")

/** What identifies a configuration, so that a changed setting leads to another one. */
export interface ClientSettings {
  readonly issuer: string
  readonly clientId: string
  readonly secret: string | null
  readonly skew: number
}

/** Null if no provider is configured. */
export const clientSettings = (get: GetSetting): ClientSettings | null => {
  const issuer = get(OIDC_ISSUER)
  const clientId = get(OIDC_CLIENT_ID)
  if (issuer === null || clientId === null) return null
  return { issuer, clientId, secret: get(OIDC_CLIENT_SECRET), skew: get(OIDC_CLOCK_SKEW_SECONDS) }
}

/** Reads the provider's discovery document. `timeout`: of this request and those that follow, in seconds. */
export const discover = async (
  { clientId, issuer, secret, skew }: ClientSettings,
  timeout: number
): Promise<client.Configuration> => {
  const library = await loadLibrary()
  const url = new URL(issuer)
  const configuration = await library.discovery(
    url,
    clientId,
    { [library.clockTolerance]: skew },
    secret === null ? library.None() : library.ClientSecretPost(secret),
    {
      timeout,
      // The setting accepts only addresses of this machine.
      execute: url.protocol === "http:" ? [library.allowInsecureRequests] : []
    }
  )
  // Checks the token's signature, although TLS has authenticated the provider that sent it.
  library.enableNonRepudiationChecks(configuration)
  return configuration
}
