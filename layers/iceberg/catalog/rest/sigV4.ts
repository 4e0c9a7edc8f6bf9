import { Effect } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import { type AwsCredentials, sdkCredentials } from "../../io/AwsCredentials.ts"
import { awsFailure } from "../../io/awsFailure.ts"
import { loadModule } from "../../loadModule.ts"
import type { Authorizer } from "./Authorizer.ts"

export interface SigV4Options {
  /** `execute-api`, `glue`, `s3tables` … */
  readonly service: string
  readonly region: string
  readonly credentials: AwsCredentials
}

type Bytes = string | ArrayBuffer | ArrayBufferView

class Sha256 {
  readonly #hash: Bun.CryptoHasher
  constructor(key?: Bytes) {
    this.#hash = key === undefined ? new Bun.CryptoHasher("sha256") : new Bun.CryptoHasher("sha256", key as string)
  }
  update(bytes: Bytes): void {
    this.#hash.update(bytes as string)
  }
  reset(): void {}
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()))
  }
}

const makeSigner = Effect.fnUntraced(function* ({ credentials, region, service }: SigV4Options) {
  const given = sdkCredentials(credentials, yield* Effect.context<never>())
  const { SignatureV4 } = yield* loadModule("@smithy/signature-v4", () => import("@smithy/signature-v4"))
  const { defaultProvider } = yield* loadModule(
    "@aws-sdk/credential-provider-node",
    () => import("@aws-sdk/credential-provider-node")
  )
  return new SignatureV4({
    service,
    region,
    sha256: Sha256,
    credentials: given.credentials ?? defaultProvider(given.profile === undefined ? {} : { profile: given.profile })
  })
})

/**
 * AWS Signature Version 4 on top of another authorization, whose header moves to `Original-Authorization` (Iceberg's
 * `RESTSigV4AuthSession`).
 */
export const makeSigV4 = Effect.fnUntraced(function* (
  delegate: Authorizer,
  options: SigV4Options
): Effect.fn.Return<Authorizer, IcebergError> {
  const signer = yield* makeSigner(options)
  const signingFailure = (host: string) => (cause: unknown) =>
    awsFailure(cause, {
      service: `the catalog at ${host}`,
      verb: "sign",
      what: "a request",
      permissions: "the permissions that the catalog requires"
    }).error
  return {
    authorize: (request) =>
      Effect.gen(function* () {
        const { body, headers, method, url } = yield* delegate.authorize(request)
        const { authorization, ...others } = headers
        const signed = yield* Effect.tryPromise({
          try: () =>
            signer.sign({
              method,
              protocol: url.protocol,
              hostname: url.hostname,
              ...(url.port === "" ? {} : { port: Number(url.port) }),
              path: url.pathname,
              query: Object.fromEntries(url.searchParams),
              headers: {
                ...others,
                host: url.host,
                ...(authorization === undefined ? {} : { "original-authorization": authorization })
              },
              body
            }),
          catch: signingFailure(url.host)
        })
        const { host: _, ...signedHeaders } = signed.headers
        return { method, url, headers: signedHeaders, ...(body === undefined ? {} : { body }) }
      }),
    onRejected: delegate.onRejected
  }
})
