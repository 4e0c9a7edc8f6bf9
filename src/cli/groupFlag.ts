import { Effect } from "effect"
import { Flag } from "effect/cli"
import { GroupId } from "../domain/people.ts"
import { Groups } from "../ports/Groups.ts"
import { UsageError } from "./UsageError.ts"

/** `--group`: an id or a name, which {@link groupOf} finds. */
export const groupFlag = Flag.String("group")

/** The group with this id or name. Fails if one has it as its id and another as its name: they may have different permissions. */
export const groupOf = Effect.fnUntraced(function* (given: string) {
  const groups = yield* (yield* Groups).list
  const wanted = given.trim().toLowerCase()
  const byId = groups.find(({ id }) => String(id) === wanted)
  const byName = groups.find(({ name }) => name.toLowerCase() === wanted)
  if (byId !== undefined && byName !== undefined && byId !== byName) {
    return yield* new UsageError({
      message: `${JSON.stringify(given)} is the id of ${byId.name} and the name of the group ${byName.id}. Give the name of the first, or the id of the second.`
    })
  }
  const found = byId ?? byName
  if (found !== undefined) return GroupId.make(found.id)
  const known = groups.map(({ id, name }) => `${name} (${id})`).join(", ")
  return yield* new UsageError({ message: `There is no group ${JSON.stringify(given)}; there are ${known}.` })
})
