import { type Context, Effect, Redacted } from "effect"
import type { IcebergError } from "../IcebergError.ts"

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted<string>
  readonly sessionToken?: Redacted.Redacted<string> | undefined
}

/**
 * - `Chain`: what the AWS SDK finds by itself: environment, profile, web identity, container, instance.
 * - `Keys`: given.
 * - `Vended`: lent by a catalog; asked for with each request, so `current` keeps what is still good.
 */
export type AwsCredentials =
  | { readonly _tag: "Chain"; readonly profile?: string | undefined }
  | ({ readonly _tag: "Keys" } & AwsKeys)
  | {
      readonly _tag: "Vended"
      readonly current: Effect.Effect<AwsKeys, IcebergError>
      /** The service says that these have expired. */
      readonly expired: Effect.Effect<void>
    }

/** Signatures need a region; most stores that are not AWS ignore which. */
export const ANY_REGION = "us-east-1"

export const CHAIN: AwsCredentials = { _tag: "Chain" }

interface Identity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

const identityOf = ({ accessKeyId, secretAccessKey, sessionToken }: AwsKeys): Identity => ({
  accessKeyId,
  secretAccessKey: Redacted.value(secretAccessKey),
  ...(sessionToken === undefined ? {} : { sessionToken: Redacted.value(sessionToken) })
})

/** In the past, so that the SDK asks again for every request instead of keeping what it was told. */
const ASK_EACH_TIME = new Date(0)

/** The credentials as an option of an AWS SDK client. */
export const sdkCredentials = (
  credentials: AwsCredentials,
  context: Context.Context<never>
): { readonly credentials?: Identity | (() => Promise<Identity>); readonly profile?: string } => {
  switch (credentials._tag) {
    case "Chain":
      return credentials.profile === undefined ? {} : { profile: credentials.profile }
    case "Keys":
      return { credentials: identityOf(credentials) }
    case "Vended": {
      const current = Effect.map(credentials.current, (keys) => ({ ...identityOf(keys), expiration: ASK_EACH_TIME }))
      return { credentials: () => Effect.runPromiseWith(context)(current) }
    }
  }
}
