import { Effect } from "effect"
import { Flag } from "effect/cli"
import { GroupId } from "../domain/people.ts"
import { Groups } from "../ports/Groups.ts"
import { UsageError } from "./UsageError.ts"

/** `--group`: an id or a name, which {@link groupOf} finds. */
export const groupFlag = Flag.String("group")

/** The group that a flag names. A group whose name is a number is found by its id only. */
export const groupOf = Effect.fnUntraced(function* (given: string) {
  const groups = yield* (yield* Groups).list
  const isMeant = /^\d+$/.test(given)
    ? ({ id }: { readonly id: number }) => id === Number(given)
    : ({ name }: { readonly name: string }) => name.toLowerCase() === given.trim().toLowerCase()
  const found = groups.find(isMeant)
  if (found !== undefined) return GroupId.make(found.id)
  const known = groups.map(({ id, name }) => `${name} (${id})`).join(", ")
  return yield* new UsageError({ message: `There is no group ${JSON.stringify(given)}; there are ${known}.` })
})
