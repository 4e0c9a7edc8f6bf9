import { Effect } from "effect"
import type { SignInError } from "../people/SignIn.ts"
import { Forbidden, TooManyRequests, Unauthorized } from "./problems.ts"
import { withHeader } from "./server/browserRequest.ts"

/** Fails with 401, with 403 if passwords are off, or with 429 and when to try again. */
export const signInProblem = Effect.fnUntraced(function* ({ message, reason, retryAfterSeconds }: SignInError) {
  if (reason === "Wrong" || reason === "NoAdministrator") return yield* new Unauthorized({ detail: message })
  if (reason === "Off") return yield* new Forbidden({ detail: message })
  yield* withHeader("retry-after", String(retryAfterSeconds))
  return yield* new TooManyRequests({ detail: message })
})
