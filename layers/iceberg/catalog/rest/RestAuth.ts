import { Effect, type Redacted } from "effect"
import { IcebergError } from "../../IcebergError.ts"
import { type Authorizer, anonymous, basic, bearer } from "./Authorizer.ts"
import { makeOAuth2 } from "./oauth2.ts"

/** Iceberg's default scope. */
const DEFAULT_SCOPE = "catalog"

export type RestAuth =
  | { readonly _tag: "None" }
  | { readonly _tag: "Token"; readonly token: Redacted.Redacted<string> }
  | { readonly _tag: "Basic"; readonly user: string; readonly password: Redacted.Redacted<string> }
  | {
      readonly _tag: "OAuth2"
      /** `id:secret`. */
      readonly credential: Redacted.Redacted<string>
      /** The token endpoint; by default the catalog's own `/v1/oauth/tokens`. */
      readonly serverUri?: string | undefined
      readonly scope?: string | undefined
    }

/** The authorizer for a catalog at `uri`. */
export const makeAuthorizer = (uri: string, auth: RestAuth): Effect.Effect<Authorizer, IcebergError> => {
  switch (auth._tag) {
    case "None":
      return Effect.succeed(anonymous)
    case "Token":
      return Effect.succeed(bearer(auth.token))
    case "Basic":
      return Effect.succeed(basic(auth.user, auth.password))
    case "OAuth2": {
      const server = URL.parse(auth.serverUri ?? `${uri.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1/oauth/tokens`)
      return server === null
        ? Effect.fail(IcebergError.invalid("The OAuth2 server's URI is invalid: it must begin with https://."))
        : makeOAuth2({ credential: auth.credential, serverUri: server, scope: auth.scope ?? DEFAULT_SCOPE })
    }
  }
}
