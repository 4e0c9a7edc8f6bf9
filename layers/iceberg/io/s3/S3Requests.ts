import type { S3Client } from "@aws-sdk/client-s3"
import { Effect, Schedule, type Scope } from "effect"
import { backoff } from "../../backoff.ts"
import { IcebergError } from "../../IcebergError.ts"
import { loadModule } from "../../loadModule.ts"
import { ANY_REGION, type AwsCredentials, CHAIN, sdkCredentials } from "../AwsCredentials.ts"
import { type AwsFailure, awsFailure, isExpired } from "../awsFailure.ts"
import { type S3Location, s3LocationOf } from "../location.ts"

/** Time for a request, plus time for its bytes. Stores that queue the losers of a race hold them for some seconds. */
const REQUEST_TIMEOUT_MS = 30_000
/** The slowest connection that is waited for, in bytes per ms: 500 KB/s. */
const MIN_BYTES_PER_MS = 500
const CONNECT_TIMEOUT_MS = 5_000
/** How long an unavailable store is retried: long enough for a failover, short enough for a flush to end in time. */
const RETRY_FOR_MS = 60_000
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000

const PERMISSIONS = {
  read: "s3:GetObject, and s3:ListBucket, without which a missing object looks forbidden",
  write: "s3:PutObject, s3:GetObject and s3:AbortMultipartUpload",
  remove: "s3:DeleteObject",
  list: "s3:ListBucket"
}

export interface S3Options {
  /** Of a store other than AWS: `http://localhost:8333`. */
  readonly endpoint?: string | undefined
  /** Whether the bucket is in the URL's path instead of its host name. By default only with an endpoint. */
  readonly pathStyle?: boolean | undefined
  /** By default the one that the AWS SDK finds (AWS_REGION, the profile). */
  readonly region?: string | undefined
  readonly credentials?: AwsCredentials | undefined
  /** How long a request may take, in ms, not counting the time for its bytes. */
  readonly requestTimeoutMs?: number | undefined
  /** How long an unavailable store is retried, in ms. */
  readonly retryForMs?: number | undefined
}

/** What a request does. */
export interface S3Request {
  readonly verb: keyof typeof PERMISSIONS
  readonly location: string
  readonly target: S3Location
  /** Bytes sent or received. */
  readonly size?: number
}

type Send<A> = (client: S3Client, options: { readonly abortSignal: AbortSignal }) => Promise<A>

export interface S3Requests {
  readonly sdk: typeof import("@aws-sdk/client-s3")
  /** For messages. */
  readonly service: string
  /** Sends a request once, with a deadline. */
  readonly sendOnce: <A>(request: S3Request, send: Send<A>) => Effect.Effect<A, AwsFailure>
  /** Retries an effect while the store is unavailable. */
  readonly retry: <A>(self: Effect.Effect<A, IcebergError>) => Effect.Effect<A, IcebergError>
  /** Sends a request, with retries. */
  readonly send: <A>(request: S3Request, send: Send<A>) => Effect.Effect<A, IcebergError>
}

const serviceName = (endpoint: string | undefined, region: string | undefined): string => {
  if (endpoint !== undefined) return `S3 at ${URL.parse(endpoint)?.host ?? "an invalid endpoint"}`
  return region === undefined ? "S3" : `S3 in ${region}`
}

const makeClient = Effect.fnUntraced(function* (
  sdk: S3Requests["sdk"],
  { credentials = CHAIN, endpoint, pathStyle }: S3Options,
  region: string | undefined
): Effect.fn.Return<S3Client, IcebergError, Scope.Scope> {
  const context = yield* Effect.context<never>()
  // Older stores do not support trailing checksums.
  const checksums = endpoint === undefined ? "WHEN_SUPPORTED" : "WHEN_REQUIRED"
  return yield* Effect.acquireRelease(
    Effect.try({
      try: () =>
        new sdk.S3Client({
          ...(endpoint === undefined ? {} : { endpoint }),
          ...(region === undefined ? {} : { region }),
          forcePathStyle: pathStyle ?? endpoint !== undefined,
          ...sdkCredentials(credentials, context),
          maxAttempts: 1,
          requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
          requestChecksumCalculation: checksums,
          responseChecksumValidation: checksums
        }),
      catch: (cause) => IcebergError.invalid(`The S3 configuration is invalid: ${String(cause)}`)
    }),
    (client) => Effect.sync(() => client.destroy())
  )
})

/** An S3 client with deadlines, retries and this library's errors. The SDK is loaded here; its own retries are off. */
export const makeS3Requests = Effect.fnUntraced(function* (
  options: S3Options
): Effect.fn.Return<S3Requests, IcebergError, Scope.Scope> {
  const { credentials, endpoint, requestTimeoutMs = REQUEST_TIMEOUT_MS, retryForMs = RETRY_FOR_MS } = options
  const sdk = yield* loadModule("@aws-sdk/client-s3", () => import("@aws-sdk/client-s3"))
  const region = options.region ?? (endpoint === undefined ? undefined : ANY_REGION)
  const client = yield* makeClient(sdk, options, region)
  const service = serviceName(endpoint, region)
  const retries = backoff(FIRST_RETRY_MS, LAST_RETRY_MS).pipe(Schedule.upTo({ duration: retryForMs }))

  const sendOnce: S3Requests["sendOnce"] = ({ location, size = 0, target, verb }, send) => {
    const request = { service, verb, what: location, bucket: target.bucket, permissions: PERMISSIONS[verb] }
    const duration = requestTimeoutMs + size / MIN_BYTES_PER_MS
    return Effect.tryPromise({
      try: (abortSignal) => send(client, { abortSignal }),
      catch: (cause) => awsFailure(cause, request)
    }).pipe(
      Effect.timeoutOrElse({
        duration,
        orElse: () =>
          Effect.fail(awsFailure({ code: `no answer within ${Math.round(duration / 100) / 10} s` }, request))
      }),
      Effect.tapError((failure) =>
        isExpired(failure) && credentials?._tag === "Vended" ? credentials.expired : Effect.void
      )
    )
  }
  const retry: S3Requests["retry"] = (self) =>
    Effect.retry(self, { while: (error) => error.reason === "Unavailable", schedule: retries })

  return {
    sdk,
    service,
    sendOnce,
    retry,
    send: (request, send) =>
      sendOnce(request, send).pipe(
        Effect.mapError(({ error }) => error),
        retry
      )
  }
})

/** The store's response is not one of S3. */
export const notS3 = (service: string, location: string): IcebergError =>
  IcebergError.invalid(`${service} did not answer as S3 when writing ${location}: check the endpoint.`)

/** Bucket and key of an object; a bucket on its own is `Invalid`. */
export const objectAt = (location: string): Effect.Effect<S3Location, IcebergError> =>
  Effect.flatMap(s3LocationOf(location), (target) =>
    target.key === ""
      ? Effect.fail(IcebergError.invalid(`${location} names a bucket, not an object in it.`))
      : Effect.succeed(target)
  )
