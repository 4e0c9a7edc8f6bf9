import type { GlueClient } from "@aws-sdk/client-glue"
import { type Duration, Effect, Schedule, type Scope } from "effect"
import { backoff } from "../../backoff.ts"
import { IcebergError } from "../../IcebergError.ts"
import { type AwsCredentials, CHAIN, sdkCredentials } from "../../io/AwsCredentials.ts"
import { type AwsFailure, awsFailure } from "../../io/awsFailure.ts"
import { loadModule } from "../../loadModule.ts"

/** Glue usually answers within 100 ms. */
const DEADLINE: Duration.Input = "20 seconds"
const CONNECT_TIMEOUT_MS = 5_000
/** How long reads are retried while Glue is unavailable or throttles. */
const RETRY_FOR = "20 seconds"
const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 2_000
const READ_RETRIES = backoff(FIRST_RETRY_MS, LAST_RETRY_MS).pipe(Schedule.upTo({ duration: RETRY_FOR }))

const PERMISSIONS = "glue:GetDatabase, glue:CreateDatabase, glue:GetTable, glue:CreateTable and glue:UpdateTable"

export interface GlueOptions {
  readonly region?: string | undefined
  /** Of a service other than AWS. */
  readonly endpoint?: string | undefined
  readonly credentials?: AwsCredentials | undefined
  /** The account that owns the catalog; by default that of the credentials. */
  readonly catalogId?: string | undefined
}

type Send<A> = (client: GlueClient, options: { readonly abortSignal: AbortSignal }) => Promise<A>

export interface GlueRequests {
  readonly sdk: typeof import("@aws-sdk/client-glue")
  /** The parameters of every request. */
  readonly account: { readonly CatalogId?: string }
  /** For messages. */
  readonly service: string
  /** Reads, with retries; null if Glue does not have it. */
  readonly find: <A>(what: string, send: Send<A>) => Effect.Effect<A | null, IcebergError>
  /**
   * Sends a change once; false if Glue answers with the error code `refusal`. Fails with `Unknown` unless it is certain that
   * nothing was changed.
   */
  readonly change: (
    verb: string,
    what: string,
    refusal: string,
    send: Send<unknown>
  ) => Effect.Effect<boolean, IcebergError>
}

const serviceName = ({ endpoint, region }: GlueOptions): string => {
  if (endpoint !== undefined) return `Glue at ${URL.parse(endpoint)?.host}`
  return region === undefined ? "AWS Glue" : `AWS Glue in ${region}`
}

const makeClient = Effect.fnUntraced(function* (
  sdk: GlueRequests["sdk"],
  { credentials = CHAIN, endpoint, region }: GlueOptions
): Effect.fn.Return<GlueClient, IcebergError, Scope.Scope> {
  const context = yield* Effect.context<never>()
  return yield* Effect.acquireRelease(
    Effect.try({
      try: () =>
        new sdk.GlueClient({
          ...(region === undefined ? {} : { region }),
          ...(endpoint === undefined ? {} : { endpoint }),
          ...sdkCredentials(credentials, context),
          // If the SDK repeated a change, the repetition could be refused because of the first one.
          maxAttempts: 1,
          requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS }
        }),
      catch: (cause) => IcebergError.invalid(`The Glue configuration is invalid: ${String(cause)}`)
    }),
    (client) => Effect.sync(() => client.destroy())
  )
})

const hasCode = (code: string) => (failure: AwsFailure) => failure.code === code

/** A Glue client with deadlines, retries and this library's errors. The SDK is loaded here. */
export const makeGlueRequests = Effect.fnUntraced(function* (
  options: GlueOptions
): Effect.fn.Return<GlueRequests, IcebergError, Scope.Scope> {
  const sdk = yield* loadModule("@aws-sdk/client-glue", () => import("@aws-sdk/client-glue"))
  const client = yield* makeClient(sdk, options)
  const service = serviceName(options)

  const sendOnce = <A>(verb: string, what: string, send: Send<A>): Effect.Effect<A, AwsFailure> => {
    const request = { service, verb, what, permissions: PERMISSIONS }
    return Effect.tryPromise({
      try: (abortSignal) => send(client, { abortSignal }),
      catch: (cause) => awsFailure(cause, request)
    }).pipe(
      Effect.timeoutOrElse({
        duration: DEADLINE,
        orElse: () => Effect.fail(awsFailure({ code: `no answer within ${DEADLINE}` }, request))
      })
    )
  }

  return {
    sdk,
    account: options.catalogId === undefined ? {} : { CatalogId: options.catalogId },
    service,
    find: (what, send) =>
      sendOnce("read", what, send).pipe(
        Effect.catchIf(hasCode("EntityNotFoundException"), () => Effect.succeed(null)),
        Effect.mapError(({ error }) => error),
        Effect.retry({ while: (error) => error.reason === "Unavailable", schedule: READ_RETRIES })
      ),
    change: (verb, what, refusal, send) =>
      sendOnce(verb, what, send).pipe(
        Effect.as(true),
        Effect.catchIf(hasCode(refusal), () => Effect.succeed(false)),
        Effect.mapError((failure: AwsFailure) => {
          if (failure.code === "EntityNotFoundException") return IcebergError.notFound(`${service} has no ${what}.`)
          return failure.isCertain ? failure.error : IcebergError.unknown(failure.error.message)
        })
      )
  }
})
