import { Effect, Redacted } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import type { HttpRequest } from "./http.ts"

/** Makes requests ones that the server accepts. */
export interface Authorizer {
  readonly authorize: (request: HttpRequest) => Effect.Effect<HttpRequest, IcebergError>
  /** What this request was authorized with is refused: whether there may be something better now. */
  readonly refused: (request: HttpRequest) => Effect.Effect<boolean>
}

const NOTHING_BETTER = () => Effect.succeed(false)

export const withHeaders = (request: HttpRequest, headers: HttpRequest["headers"]): HttpRequest => ({
  ...request,
  headers: { ...request.headers, ...headers }
})

/** A server that asks nobody, or one that something on the way speaks for. */
export const anonymous: Authorizer = { authorize: Effect.succeed, refused: NOTHING_BETTER }

export const bearer = (token: Redacted.Redacted<string>): Authorizer => ({
  authorize: (request) => Effect.succeed(withHeaders(request, { authorization: `Bearer ${Redacted.value(token)}` })),
  refused: NOTHING_BETTER
})

export const basic = (user: string, password: Redacted.Redacted<string>): Authorizer => {
  const pair = Buffer.from(`${user}:${Redacted.value(password)}`).toString("base64")
  return {
    authorize: (request) => Effect.succeed(withHeaders(request, { authorization: `Basic ${pair}` })),
    refused: NOTHING_BETTER
  }
}
