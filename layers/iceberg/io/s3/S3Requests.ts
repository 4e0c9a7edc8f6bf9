import type { S3Client } from "@aws-sdk/client-s3"
import { Effect, Schedule, type Scope } from "effect"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import { ANY_REGION, type AwsCredentials, CHAIN, sdkCredentials } from "../AwsCredentials.ts"
import { type AwsFailure, awsFailure, isExpired } from "../awsFailure.ts"
import type { S3Place } from "../location.ts"

/** A request may take this long, and more for its bytes. Stores that queue the losers of a race hold them for some seconds. */
const REQUEST_TIMEOUT_MS = 30_000
/** The slowest line that is waited for, in bytes a ms: 500 KB/s. */
const SLOWEST = 500
const CONNECT_TIMEOUT_MS = 5_000
/** How long an unavailable store is tried again: it outlasts a failover, and a flush that waits for it still ends in time. */
const RETRY_FOR_MS = 60_000
/** Waits between attempts double from the first to the second figure. */
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000

const PERMISSIONS = {
  read: "s3:GetObject, and s3:ListBucket, without which a missing object looks forbidden",
  write: "s3:PutObject, s3:GetObject and s3:AbortMultipartUpload",
  remove: "s3:DeleteObject",
  list: "s3:ListBucket"
}

export interface S3Options {
  /** Of a store that is not AWS: `http://localhost:8333`. */
  readonly endpoint?: string | undefined
  /** Whether the bucket is in the URL's path; else in its host name. By default only with an endpoint. */
  readonly pathStyle?: boolean | undefined
  /** By default what the AWS SDK finds (AWS_REGION, the profile). */
  readonly region?: string | undefined
  readonly credentials?: AwsCredentials | undefined
  /** How long a request may take, in ms, apart from the time for its bytes. */
  readonly requestTimeoutMs?: number | undefined
  /** How long, in ms, an unavailable store is tried again. */
  readonly retryForMs?: number | undefined
}

/** What a request is about. */
export interface S3Request {
  readonly verb: keyof typeof PERMISSIONS
  readonly location: string
  readonly place: S3Place
  /** Bytes that go or come. */
  readonly size?: number
}

export interface S3Requests {
  readonly sdk: typeof import("@aws-sdk/client-s3")
  readonly client: S3Client
  /** For messages. */
  readonly service: string
  /** One attempt, within its time. */
  readonly once: <A>(request: S3Request, use: (signal: AbortSignal) => Promise<A>) => Effect.Effect<A, AwsFailure>
  /** Again while the store is unavailable. */
  readonly again: <A>(self: Effect.Effect<A, IcebergError>) => Effect.Effect<A, IcebergError>
  readonly retried: <A>(request: S3Request, use: (signal: AbortSignal) => Promise<A>) => Effect.Effect<A, IcebergError>
}

const hostOf = (endpoint: string): string => URL.parse(endpoint)?.host ?? "an endpoint that can't be read"

/** A client of S3 whose failures are told in our words. The SDK's own retries are off; it is loaded here. */
export const makeS3Requests = Effect.fnUntraced(function* (
  options: S3Options
): Effect.fn.Return<S3Requests, IcebergError, Scope.Scope> {
  const sdk = yield* Effect.tryPromise({
    try: () => import("@aws-sdk/client-s3"),
    catch: (cause) => icebergError("Invalid", `The package @aws-sdk/client-s3 can't be loaded: ${String(cause)}`)
  })
  const context = yield* Effect.context<never>()
  const { credentials = CHAIN, endpoint } = options
  const region = options.region ?? (endpoint === undefined ? undefined : ANY_REGION)
  const checksums = endpoint === undefined ? "WHEN_SUPPORTED" : "WHEN_REQUIRED"
  const client: S3Client = yield* Effect.acquireRelease(
    Effect.try({
      try: () =>
        new sdk.S3Client({
          ...(endpoint === undefined ? {} : { endpoint }),
          ...(region === undefined ? {} : { region }),
          forcePathStyle: options.pathStyle ?? endpoint !== undefined,
          ...sdkCredentials(credentials, context),
          maxAttempts: 1,
          requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
          // Older stores know no trailing checksums.
          requestChecksumCalculation: checksums,
          responseChecksumValidation: checksums
        }),
      catch: (cause) => icebergError("Invalid", `S3 can't be used as it is set: ${String(cause)}`)
    }),
    (client) => Effect.sync(() => client.destroy())
  )
  const service =
    endpoint === undefined ? `S3${region === undefined ? "" : ` in ${region}`}` : `S3 at ${hostOf(endpoint)}`
  const requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS
  const retryForMs = options.retryForMs ?? RETRY_FOR_MS
  const backoff = Schedule.min([Schedule.exponential(FIRST_RETRY_MS), Schedule.spaced(LAST_RETRY_MS)]).pipe(
    Schedule.jittered,
    Schedule.upTo({ duration: retryForMs })
  )

  const once: S3Requests["once"] = ({ location, place, size = 0, verb }, use) => {
    const request = { service, verb, what: location, bucket: place.bucket, permissions: PERMISSIONS[verb] }
    const duration = requestTimeoutMs + size / SLOWEST
    return Effect.tryPromise({ try: use, catch: (cause) => awsFailure(cause, request) }).pipe(
      Effect.timeoutOrElse({
        duration,
        orElse: () =>
          Effect.fail(awsFailure({ code: `no answer within ${Math.round(duration / 100) / 10} s` }, request))
      }),
      Effect.tapError((failure) =>
        isExpired(failure) && credentials._tag === "Vended" ? credentials.expired : Effect.void
      )
    )
  }
  const again: S3Requests["again"] = (self) =>
    Effect.retry(self, { while: (error) => error.reason === "Unavailable", schedule: backoff })

  return {
    sdk,
    client,
    service,
    once,
    again,
    retried: (request, use) =>
      once(request, use).pipe(
        Effect.mapError(({ error }) => error),
        again
      )
  }
})

/** The store answered, but not as S3 does. */
export const notS3 = (service: string, location: string): IcebergError =>
  icebergError("Invalid", `${service} did not answer the write of ${location} as S3 does: check the endpoint.`)
