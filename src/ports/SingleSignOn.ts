import { Context, type Effect, Schema } from "effect"
import type { Identity } from "./Users.ts"

/**
 * - `Off`: no provider is configured.
 * - `Unreachable`: the provider does not answer, or not as a provider does.
 * - `Misconfigured`: the provider does not accept Footfall's settings, or they do not fit the provider.
 * - `Refused`: the provider did not let the user in, or the user canceled.
 * - `Invalid`: the answer does not belong to an attempt of this browser, is too old, or is not signed by the provider.
 */
export class SingleSignOnError extends Schema.TaggedError<SingleSignOnError>()("SingleSignOnError", {
  reason: Schema.Literals(["Off", "Unreachable", "Misconfigured", "Refused", "Invalid"]),
  message: Schema.String
}) {}

/** An attempt to sign in. `sealed` is kept in the browser until the provider sends it back; only this instance can read it. */
export interface SignOnAttempt {
  /** Where the browser goes. */
  readonly url: string
  readonly sealed: string
}

export interface SignedOn {
  readonly identity: Identity
  /** Whether somebody without a user gets one. */
  readonly provision: boolean
  /** What `begin` was given. */
  readonly next: string
  /** What `signOutUrl` needs, sealed; null if signing out ends only Footfall's session. */
  readonly providerSession: string | null
}

/** Signing in and out with an OpenID Connect provider: authorization code with state, nonce and PKCE, and RP-initiated logout. */
export class SingleSignOn extends Context.Service<
  SingleSignOn,
  {
    /** Null if no provider is configured. */
    readonly provider: () => { readonly name: string } | null
    readonly begin: (redirectUri: string, next: string) => Effect.Effect<SignOnAttempt, SingleSignOnError>
    /** `query`: what the provider added to the redirect URI. */
    readonly complete: (
      redirectUri: string,
      query: URLSearchParams,
      sealed: string | null
    ) => Effect.Effect<SignedOn, SingleSignOnError>
    /**
     * Where a browser whose session has ended also signs out at the provider, which then sends it to `redirectUri` with a `state`. Null if
     * it cannot: the session is of another provider or client, or the provider has no such address or does not answer within 3 s.
     */
    readonly signOutUrl: (providerSession: string, redirectUri: string) => Effect.Effect<string | null>
    /** Whether a `state` is of a sign-out that began here a short time ago. */
    readonly isSignOut: (state: string) => Effect.Effect<boolean>
  }
>()("footfall/ports/SingleSignOn") {}

/** How long the user may take at the provider. */
export const ATTEMPT_SECONDS = 600
