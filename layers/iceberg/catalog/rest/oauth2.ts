import { Clock, Effect, Option, Redacted, Schema, Semaphore } from "effect"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import { type Authorizer, withHeaders } from "./Authorizer.ts"
import { answerFailure, sendOnce } from "./http.ts"

/** Of a token whose server does not say it, in s; what Iceberg's own client takes. */
const DEFAULT_LIFETIME_S = 3_600
/** A new token is fetched this long before the old one ends, in ms, or in its last tenth: requests on their way must pass. */
const RENEW_BEFORE_MS = 60_000
const LAST_PART = 0.1

export interface OAuth2Options {
  /** `id:secret`, or a secret alone. */
  readonly credential: Redacted.Redacted<string>
  /** Where tokens are given. */
  readonly serverUri: URL
  readonly scope: string
}

const Answer = Schema.Struct({ access_token: Schema.NonEmptyString, expires_in: Schema.optional(Schema.Number) })
const isAnswer = Schema.is(Answer)

interface Token {
  readonly value: string
  /** Ms since the epoch. */
  readonly renewAt: number
}

const formOf = ({ credential, scope }: OAuth2Options): string => {
  const given = Redacted.value(credential)
  const colon = given.indexOf(":")
  return new URLSearchParams({
    grant_type: "client_credentials",
    ...(colon < 0 ? {} : { client_id: given.slice(0, colon) }),
    client_secret: given.slice(colon + 1),
    scope
  }).toString()
}

/** Tokens by client credentials (RFC 6749, 4.4), one for everybody, fetched anew before it ends and when it is refused. */
export const makeOAuth2 = (options: OAuth2Options): Effect.Effect<Authorizer> =>
  Effect.map(Semaphore.make(1), (lock) => {
    let held: Option.Option<Token> = Option.none()
    const { serverUri } = options
    const hide = (error: IcebergError): IcebergError => {
      const secret = Redacted.value(options.credential).split(":").slice(1).join(":")
      return secret === "" ? error : icebergError(error.reason, error.message.replaceAll(secret, "…"))
    }

    const fetchToken = Effect.gen(function* () {
      const answer = yield* Effect.mapError(
        sendOnce({
          method: "POST",
          url: serverUri,
          headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
          body: formOf(options)
        }),
        ({ error }) => error
      )
      const now = yield* Clock.currentTimeMillis
      if (answer.status !== 200) {
        const failure = answerFailure(answer, serverUri.host, "to get a token")
        return yield* answer.status === 400 ? icebergError("Denied", failure.message) : failure
      }
      const body = Option.getOrUndefined(answer.body)
      if (!isAnswer(body)) {
        return yield* icebergError(
          "Invalid",
          `${serverUri.host} did not answer with a token: check the OAuth2 server's URI.`
        )
      }
      const lifetime = (body.expires_in ?? DEFAULT_LIFETIME_S) * 1_000
      const token = {
        value: body.access_token,
        renewAt: now + lifetime - Math.min(RENEW_BEFORE_MS, lifetime * LAST_PART)
      }
      held = Option.some(token)
      return token.value
    }).pipe(Effect.mapError(hide))

    const current = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Option.isSome(held) && now < held.value.renewAt ? Effect.succeed(held.value.value) : fetchToken
    )
    return {
      authorize: (request) =>
        Effect.map(lock.withPermits(1)(current), (token) => withHeaders(request, { authorization: `Bearer ${token}` })),
      refused: ({ headers }) =>
        Effect.sync(() => {
          // Another request may have brought a new one meanwhile.
          if (Option.isSome(held) && headers["authorization"] === `Bearer ${held.value.value}`) held = Option.none()
          return true
        })
    }
  })
