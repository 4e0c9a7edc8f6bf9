import { Effect } from "effect"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import { type AwsCredentials, sdkCredentials } from "../../io/AwsCredentials.ts"
import { awsFailure } from "../../io/awsFailure.ts"
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

/**
 * AWS Signature Version 4 on top of another authorization, whose own header moves to `Original-Authorization` (Iceberg's
 * `RESTSigV4AuthSession`).
 */
export const makeSigV4 = Effect.fnUntraced(function* (
  delegate: Authorizer,
  { credentials, region, service }: SigV4Options
): Effect.fn.Return<Authorizer, IcebergError> {
  const context = yield* Effect.context<never>()
  const failed = (host: string) => (cause: unknown) =>
    awsFailure(cause, {
      service: `the catalog at ${host}`,
      verb: "sign",
      what: "a request",
      permissions: "what the catalog needs"
    }).error
  const given = sdkCredentials(credentials, context)
  const { chain, smithy } = yield* Effect.tryPromise({
    try: async () => ({
      smithy: await import("@smithy/signature-v4"),
      chain: await import("@aws-sdk/credential-provider-node")
    }),
    catch: (cause) => icebergError("Invalid", `The packages that sign requests can't be loaded: ${String(cause)}`)
  })
  const signer = new smithy.SignatureV4({
    service,
    region,
    sha256: Sha256,
    credentials:
      given.credentials ?? chain.defaultProvider(given.profile === undefined ? {} : { profile: given.profile })
  })
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
          catch: failed(url.host)
        })
        const { host: _, ...sent } = signed.headers
        return { method, url, headers: sent, ...(body === undefined ? {} : { body }) }
      }),
    refused: delegate.refused
  }
})
