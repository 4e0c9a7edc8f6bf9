import { Effect, Redacted, Result } from "effect"
import { type PasswordOwner, passwordIssue } from "../../../../src/domain/password.ts"
import { type AcceptedUserValues, acceptUserValues, type UserValues } from "../../../../src/domain/userValues.ts"
import type { Passwords } from "../../../../src/ports/Passwords.ts"
import { invalidValues, type PeopleError } from "../../../../src/ports/PeopleError.ts"

/** The values in their normal form. Fails with `Invalid` and every issue. */
export const acceptUser = (values: UserValues): Effect.Effect<AcceptedUserValues, PeopleError> =>
  Result.match(acceptUserValues(values), {
    onSuccess: Effect.succeed,
    onFailure: (issues) => Effect.fail(invalidValues(issues))
  })

/** {@link acceptUser} for a new user with a password, which is among the issues. */
export const acceptNewUser = Effect.fnUntraced(function* (
  values: UserValues & PasswordOwner,
  password: Redacted.Redacted<string> | undefined
): Effect.fn.Return<{ readonly email: string; readonly name: string } & AcceptedUserValues, PeopleError> {
  const accepted = acceptUserValues(values)
  const weak = password === undefined ? null : passwordIssue(Redacted.value(password), values)
  if (Result.isSuccess(accepted) && weak === null) {
    const { email = "", name = "", ...rest } = accepted.success
    return { ...rest, email, name }
  }
  return yield* invalidValues([
    ...(Result.isFailure(accepted) ? accepted.failure : []),
    ...(weak === null ? [] : [weak])
  ])
})

/** The hash of a password that the owner may choose. */
export const hashOf = Effect.fnUntraced(function* (
  passwords: Passwords["Service"],
  password: Redacted.Redacted<string>,
  owner: PasswordOwner
): Effect.fn.Return<string, PeopleError> {
  const weak = passwordIssue(Redacted.value(password), owner)
  return weak === null ? yield* passwords.hash(password) : yield* invalidValues([weak])
})
