import { Effect, Redacted } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import type { HttpRequest } from "./http.ts"

/** Authorizes requests. */
export interface Authorizer {
  readonly authorize: (request: HttpRequest) => Effect.Effect<HttpRequest, IcebergError>
  /** Called if the server rejects an authorized request's credentials; whether authorizing it again may help. */
  readonly onRejected: (request: HttpRequest) => Effect.Effect<boolean>
}

const CANNOT_RENEW = () => Effect.succeed(false)

export const withHeaders = (request: HttpRequest, headers: HttpRequest["headers"]): HttpRequest => ({
  ...request,
  headers: { ...request.headers, ...headers }
})

/** For a server without authorization, or behind a proxy that adds it. */
export const anonymous: Authorizer = { authorize: Effect.succeed, onRejected: CANNOT_RENEW }

const withAuthorization = (value: string): Authorizer => ({
  authorize: (request) => Effect.succeed(withHeaders(request, { authorization: value })),
  onRejected: CANNOT_RENEW
})

export const bearer = (token: Redacted.Redacted<string>): Authorizer =>
  withAuthorization(`Bearer ${Redacted.value(token)}`)

export const basic = (user: string, password: Redacted.Redacted<string>): Authorizer =>
  withAuthorization(`Basic ${Buffer.from(`${user}:${Redacted.value(password)}`).toString("base64")}`)
