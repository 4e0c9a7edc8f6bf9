import { Effect, Predicate } from "effect"
import { errorCode } from "../../src/lib/errorCode.ts"
import { fetchProblem } from "../../src/lib/fetchProblem.ts"
import type { GetSetting } from "../../src/settings/startProblems.ts"
import { clientSettings, discover } from "./discover.ts"

/** How long the provider may take to answer before it is reported as unreachable. */
const TIMEOUT_SECONDS = 5

/** `problem`: why users can't sign in with the provider, as the end of a sentence; null if its discovery document is right. */
export interface ProviderProbe {
  readonly issuer: string
  readonly problem: string | null
}

const explain = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof Response && !cause.ok) return `${cause.url} responds with ${cause.status}`
  switch (errorCode(error)) {
    case "OAUTH_TIMEOUT":
      return `it did not answer within ${TIMEOUT_SECONDS} seconds`
    case "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED":
      return `it says that its issuer is ${issuerIn(cause)}`
    default:
      return fetchProblem(error)
  }
}

/** The issuer of a discovery document that is another provider's. */
const issuerIn = (cause: unknown): string => {
  const document = Predicate.hasProperty(cause, "body") ? cause.body : undefined
  return Predicate.hasProperty(document, "issuer") ? JSON.stringify(document.issuer) : "something else"
}

/** Reads the discovery document of the configured provider, as signing in does; null if no provider is configured. */
export const probeProvider = Effect.fnUntraced(function* (get: GetSetting): Effect.fn.Return<ProviderProbe | null> {
  const settings = clientSettings(get)
  if (settings === null) return null
  const { issuer } = settings
  return yield* Effect.tryPromise({ try: () => discover(settings, TIMEOUT_SECONDS), catch: explain }).pipe(
    Effect.match({ onSuccess: () => ({ issuer, problem: null }), onFailure: (problem) => ({ issuer, problem }) })
  )
})
