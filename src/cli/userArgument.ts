import { Effect } from "effect"
import { Argument } from "effect/cli"
import { isId, UserId } from "../domain/people.ts"
import { userNotFound } from "../ports/PeopleError.ts"
import { Users } from "../ports/Users.ts"
import { UsageError } from "./UsageError.ts"

/** A user's id or email, which {@link userIdOf} finds. */
export const userArgument = Argument.String("user").pipe(
  Argument.withDescription("The user's id or email; `bun run footfall users list` shows both"),
  Argument.filter(
    (given) => /^[1-9]\d{0,9}$/.test(given) || given.includes("@"),
    () => "the id of a user, such as 7, or their email, such as ada@example.com"
  )
)

/** The id of the user that an argument names. */
export const userIdOf = Effect.fnUntraced(function* (given: string) {
  if (!given.includes("@")) {
    const id = Number(given)
    return isId(id) ? UserId.make(id) : yield* userNotFound(id)
  }
  const found = yield* (yield* Users).credentials(given)
  return found === null
    ? yield* new UsageError({ message: `There is no user with the email ${JSON.stringify(given)}.` })
    : found.id
})
