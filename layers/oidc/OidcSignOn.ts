import { Cache, Effect, Exit, Layer, Redacted } from "effect"
import type * as client from "openid-client"
import { StartError } from "../../src/domain/StartError.ts"
import { AppSecret } from "../../src/ports/AppSecret.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { SingleSignOn, type SingleSignOnError } from "../../src/ports/SingleSignOn.ts"
import { passwordLoginProblem } from "../../src/settings/passwordLogin.ts"
import {
  OIDC_AUTO_PROVISION,
  OIDC_GROUP_MAP,
  OIDC_GROUPS_CLAIM,
  OIDC_NAME,
  OIDC_SCOPES,
  OIDC_SIGN_OUT,
  OIDC_TRUST_EMAIL
} from "../../src/settings/settings.ts"
import { type ClaimOptions, identityOf, isIncomplete } from "./claims.ts"
import { type ClientSettings, clientSettings, discover, loadLibrary } from "./discover.ts"
import { describeFailure, reasonOf, signOnError } from "./failure.ts"
import { makeSeals } from "./seals.ts"

/** How long a request to the provider may take. */
const TIMEOUT_SECONDS = 10
/** How long the provider's metadata is used before it is read again. */
const METADATA_TTL = "1 hour"
/** How long a provider that does not answer is left alone. */
const FAILURE_TTL = "5 seconds"
/** How long somebody who signs out waits for the provider's metadata: their session here has ended already. */
const SIGN_OUT_TIMEOUT = "3 seconds"
/** In characters. The token is a part of an address, and servers accept headers of at least 8 KB. */
const MAX_ID_TOKEN_LENGTH = 4_096

/** Whose client a configuration is for. */
const idsOf = (configuration: client.Configuration) => ({
  issuer: configuration.serverMetadata().issuer,
  clientId: configuration.clientMetadata().client_id
})

/** Runs a step of the library. Its own message goes to the log. */
const step = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, SingleSignOnError> =>
  Effect.tryPromise({ try: run, catch: (error) => error }).pipe(
    Effect.catch((error) =>
      Effect.andThen(
        Effect.logWarning(`Single sign-on failed while ${what}: ${describeFailure(error)}`),
        Effect.fail(signOnError(reasonOf(error)))
      )
    )
  )

/** What the provider says about itself is either right or not; no user can do anything about it. */
const readMetadata = (settings: ClientSettings) =>
  Effect.mapError(
    step("reading the provider's metadata", () => discover(settings, TIMEOUT_SECONDS)),
    (error) => (error.reason === "Invalid" ? signOnError("Misconfigured") : error)
  )

/** Refuses to start if no one could sign in. */
export const layer: Layer.Layer<SingleSignOn, StartError, Settings | AppSecret> = Layer.effect(
  SingleSignOn,
  Effect.gen(function* () {
    const { get } = yield* Settings
    const problem = passwordLoginProblem(get)
    if (problem !== null) return yield* new StartError({ message: problem })
    const seals = makeSeals(Redacted.value((yield* AppSecret).value))

    // The key is the settings as JSON; only the latest ones are of use.
    const configurations = yield* Cache.makeWith((settings: string) => readMetadata(JSON.parse(settings)), {
      capacity: 2,
      timeToLive: (exit) => (Exit.isSuccess(exit) ? METADATA_TTL : FAILURE_TTL)
    })
    const configured = Effect.suspend(() => {
      const settings = clientSettings(get)
      return settings === null
        ? Effect.fail(signOnError("Off"))
        : Effect.map(Cache.get(configurations, JSON.stringify(settings)), (configuration) => ({
            configuration,
            issuer: settings.issuer
          }))
    })

    const begin = Effect.fn("SingleSignOn.begin")(function* (redirectUri: string, next: string) {
      const { configuration, issuer } = yield* configured
      return yield* step("preparing a request", async () => {
        const library = await loadLibrary()
        const attempt = {
          issuer,
          state: library.randomState(),
          nonce: library.randomNonce(),
          verifier: library.randomPKCECodeVerifier(),
          next
        }
        const url = library.buildAuthorizationUrl(configuration, {
          redirect_uri: redirectUri,
          scope: get(OIDC_SCOPES),
          state: attempt.state,
          nonce: attempt.nonce,
          code_challenge: await library.calculatePKCECodeChallenge(attempt.verifier),
          code_challenge_method: "S256"
        })
        return { url: url.href, sealed: await seals.attempt.seal(attempt) }
      })
    })

    const opened = (sealed: string | null) =>
      sealed === null
        ? Effect.fail(signOnError("Invalid"))
        : Effect.tryPromise({ try: () => seals.attempt.open(sealed), catch: () => signOnError("Invalid") })

    const complete = Effect.fn("SingleSignOn.complete")(function* (
      redirectUri: string,
      query: URLSearchParams,
      sealed: string | null
    ) {
      const attempt = yield* opened(sealed)
      const { configuration, issuer } = yield* configured
      if (attempt.issuer !== issuer) return yield* signOnError("Invalid")
      const tokens = yield* step("redeeming the code", async () => {
        const library = await loadLibrary()
        return library.authorizationCodeGrant(configuration, new URL(`${redirectUri}?${query}`), {
          pkceCodeVerifier: attempt.verifier,
          expectedState: attempt.state,
          expectedNonce: attempt.nonce,
          idTokenExpected: true
        })
      })
      const token = tokens.claims()
      if (token === undefined) return yield* signOnError("Invalid")
      const options: ClaimOptions = {
        groupsClaim: get(OIDC_GROUPS_CLAIM),
        groupMap: get(OIDC_GROUP_MAP),
        trustEmail: get(OIDC_TRUST_EMAIL)
      }
      const hasMore = configuration.serverMetadata().userinfo_endpoint !== undefined && isIncomplete(token, options)
      const more = hasMore
        ? yield* step("reading the user's claims", async () => {
            const library = await loadLibrary()
            return library.fetchUserInfo(configuration, tokens.access_token, token.sub)
          })
        : {}
      const idToken = (tokens.id_token ?? "").length > MAX_ID_TOKEN_LENGTH ? null : (tokens.id_token ?? null)
      return {
        identity: identityOf(token.iss, token.sub, { ...more, ...token }, options),
        provision: get(OIDC_AUTO_PROVISION),
        next: attempt.next,
        providerSession: canSignOut(configuration)
          ? yield* Effect.promise(() => seals.session.seal({ ...idsOf(configuration), idToken }))
          : null
      }
    })

    const canSignOut = (configuration: client.Configuration): boolean =>
      get(OIDC_SIGN_OUT) && configuration.serverMetadata().end_session_endpoint !== undefined

    const providerSignOut = Effect.fnUntraced(function* (providerSession: string, redirectUri: string) {
      const { clientId, idToken, issuer } = yield* Effect.tryPromise(() => seals.session.open(providerSession))
      const { configuration } = yield* configured
      const current = idsOf(configuration)
      if (!canSignOut(configuration) || current.issuer !== issuer || current.clientId !== clientId) return null
      return yield* step("preparing to sign out", async () => {
        const library = await loadLibrary()
        const url = library.buildEndSessionUrl(configuration, {
          client_id: clientId,
          ...(idToken !== null && { id_token_hint: idToken }),
          post_logout_redirect_uri: redirectUri,
          state: await seals.signOut.seal({})
        })
        return url.href
      })
    })

    return SingleSignOn.of({
      provider: () => (clientSettings(get) === null ? null : { name: get(OIDC_NAME) }),
      begin,
      complete,
      signOutUrl: (providerSession, redirectUri) =>
        providerSignOut(providerSession, redirectUri).pipe(
          Effect.timeout(SIGN_OUT_TIMEOUT),
          // The session here has ended in any case.
          Effect.orElseSucceed(() => null)
        ),
      isSignOut: (state) =>
        Effect.promise(() =>
          seals.signOut.open(state).then(
            () => true,
            () => false
          )
        )
    })
  })
)
