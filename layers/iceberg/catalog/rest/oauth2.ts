import { Cache, Effect, Exit, Redacted } from "effect"
import * as oauth from "oauth4webapi"
import { errorCode } from "../../errorCode.ts"
import { IcebergError } from "../../IcebergError.ts"
import { type Authorizer, withHeaders } from "./Authorizer.ts"
import { DEADLINE, excerpt, fetchFailure, isServerError, noAnswer } from "./http.ts"

/** Lifetime, in s, of a token whose server does not state one; the same as in Iceberg's own client. */
const DEFAULT_LIFETIME_S = 3_600
/** A token is renewed this long before it expires, in ms, or in its last tenth, so that requests in flight succeed. */
const RENEW_BEFORE_MS = 60_000
const LAST_PART = 0.1

export interface OAuth2Options {
  /** `id:secret`, or a secret on its own. */
  readonly credential: Redacted.Redacted<string>
  /** The token endpoint. */
  readonly serverUri: URL
  readonly scope: string
}

interface Token {
  readonly value: string
  /** How long the token may be used, in ms. */
  readonly usableMs: number
}

/** The server's response to a token request that it did not grant. */
class TokenRefused {
  readonly status: number
  /** Without the client's secret, which a server may echo. */
  readonly message: string

  constructor(status: number, cause: unknown, secret: string) {
    const said =
      cause instanceof oauth.ResponseBodyError ? [cause.error, cause.error_description].filter(Boolean).join(": ") : ""
    const withoutSecret = secret === "" ? said : said.replaceAll(secret, "…")
    this.status = status
    this.message = said === "" ? `HTTP ${status}` : `HTTP ${status}: ${excerpt(withoutSecret)}`
  }
}

const secretOf = (credential: string): string => credential.slice(credential.indexOf(":") + 1)

/** The client and how it authenticates, in the form that Iceberg's clients use: everything in the request's body. */
const clientOf = (credential: string): { readonly client: oauth.Client; readonly auth: oauth.ClientAuth } => {
  const colon = credential.indexOf(":")
  const secret = secretOf(credential)
  if (colon > 0) return { client: { client_id: credential.slice(0, colon) }, auth: oauth.ClientSecretPost(secret) }
  // Some catalogs take a secret on its own. The id is not sent.
  return { client: { client_id: "none" }, auth: (_server, _client, body) => body.set("client_secret", secret) }
}

const requestToken = async ({ credential, scope, serverUri }: OAuth2Options, signal: AbortSignal): Promise<Token> => {
  const server: oauth.AuthorizationServer = { issuer: serverUri.origin, token_endpoint: serverUri.href }
  const { auth, client } = clientOf(Redacted.value(credential))
  // Whether to use TLS is the operator's choice: catalogs on a private network often have none.
  const options = { signal, [oauth.allowInsecureRequests]: true }
  const response = await oauth.clientCredentialsGrantRequest(server, client, auth, { scope }, options)
  try {
    const { access_token, expires_in } = await oauth.processClientCredentialsResponse(server, client, response)
    const lifetimeMs = (expires_in ?? DEFAULT_LIFETIME_S) * 1_000
    return { value: access_token, usableMs: lifetimeMs - Math.min(RENEW_BEFORE_MS, lifetimeMs * LAST_PART) }
  } catch (cause) {
    // The connection broke while the body was read.
    if (cause instanceof oauth.OperationProcessingError && errorCode(cause.cause) !== "") throw cause.cause
    throw new TokenRefused(response.status, cause, secretOf(Redacted.value(credential)))
  }
}

const tokenFailure = (cause: unknown, server: string): IcebergError => {
  if (!(cause instanceof TokenRefused)) return fetchFailure(cause, server).error
  const { message, status } = cause
  if (status === 429 || isServerError(status)) {
    return IcebergError.unavailable(`${server} failed to issue a token (${message}).`)
  }
  if ([400, 401, 403, 419].includes(status)) {
    return IcebergError.denied(`${server} rejected the credential (${message}): correct the credential or the scope.`)
  }
  return IcebergError.invalid(`${server} did not return a token (${message}): check the OAuth2 server's URI.`)
}

/**
 * Bearer tokens by client credentials (RFC 6749, section 4.4). All requests share one token, which is renewed before it
 * expires and after a server rejects it.
 */
export const makeOAuth2 = (options: OAuth2Options): Effect.Effect<Authorizer> => {
  const server = `The OAuth2 server at ${options.serverUri.host}`
  const fetchToken = Effect.tryPromise({
    try: (signal) => requestToken(options, signal),
    catch: (cause) => tokenFailure(cause, server)
  }).pipe(Effect.timeoutOrElse({ duration: DEADLINE, orElse: () => Effect.fail(noAnswer(server).error) }))
  return Effect.map(
    Cache.makeWith(() => fetchToken, {
      capacity: 1,
      timeToLive: (exit) => (Exit.isSuccess(exit) ? exit.value.usableMs : 0)
    }),
    (cache) => ({
      authorize: (request) =>
        Effect.map(Cache.get(cache, "token"), ({ value }) =>
          withHeaders(request, { authorization: `Bearer ${value}` })
        ),
      onRejected: ({ headers }) =>
        // Another request may already have renewed the token.
        Effect.as(
          Effect.ignore(
            Cache.invalidateWhen(cache, "token", ({ value }) => headers["authorization"] === `Bearer ${value}`)
          ),
          true
        )
    })
  )
}
