import { type Context, Effect, Redacted } from "effect"
import type { IcebergError } from "../IcebergError.ts"

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted<string>
  readonly sessionToken?: Redacted.Redacted<string> | undefined
}

/**
 * - `Chain`: found by the AWS SDK: environment, profile, web identity, container, instance.
 * - `Keys`: configured.
 * - `Vended`: temporary, from a catalog. The SDK requests them for each request, so `current` should reuse unexpired ones.
 */
export type AwsCredentials =
  | { readonly _tag: "Chain"; readonly profile?: string | undefined }
  | ({ readonly _tag: "Keys" } & AwsKeys)
  | {
      readonly _tag: "Vended"
      readonly current: Effect.Effect<AwsKeys, IcebergError>
      /** Runs when the service reports that the credentials have expired. */
      readonly expired: Effect.Effect<void>
    }

/** Signatures contain a region; most stores other than AWS ignore it. */
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

/** In the past, so that the SDK requests the credentials for each request instead of caching them. */
const ALREADY_EXPIRED = new Date(0)

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
      const current = Effect.map(credentials.current, (keys) => ({ ...identityOf(keys), expiration: ALREADY_EXPIRED }))
      return { credentials: () => Effect.runPromiseWith(context)(current) }
    }
  }
}
