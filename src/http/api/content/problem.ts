import { KIND_NAMES } from "../../../domain/content/bodies.ts"
import type { ItemHead } from "../../../domain/content/Item.ts"
import type { Principal } from "../../../domain/Principal.ts"
import type { CollectionsError } from "../../../ports/Collections.ts"
import type { ContentError } from "../../../ports/Content.ts"
import { Conflict, Forbidden, NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"
import { FIXED_DENIAL, mayRead, SHIPPED_DENIAL } from "./permission.ts"

/** Every problem that reading an item can fail with. */
export const READ_PROBLEMS = [Forbidden, NotFound, ServiceUnavailable] as const
/** Every problem that a change of an item can fail with. */
export const WRITE_PROBLEMS = [Forbidden, NotFound, Conflict, UnprocessableContent, ServiceUnavailable] as const

export type ReadProblem = Forbidden | NotFound | ServiceUnavailable
export type WriteProblem = ReadProblem | Conflict | UnprocessableContent

/** How many users of an item a message names. */
const NAMED = 5

/** Who uses something, by name as far as the principal may see them. */
const usersOf = (usedBy: ReadonlyArray<ItemHead>, principal: Principal): string => {
  const named = usedBy.filter((head) => mayRead(principal, head)).slice(0, NAMED)
  const names = named.map(({ kind, name }) => `the ${KIND_NAMES[kind]} ${JSON.stringify(name)}`)
  const others = usedBy.length - named.length
  const all = others === 0 ? names : [...names, others === 1 ? "1 more" : `${others} more`]
  return all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`
}

export const readProblem = ({ message, reason }: ContentError): NotFound | ServiceUnavailable =>
  reason === "NotFound" ? new NotFound({ detail: message }) : new ServiceUnavailable({ detail: message })

/** The problem of a failed change. */
export const writeProblem =
  (principal: Principal) =>
  ({ message, reason, usedBy = [] }: ContentError | CollectionsError): WriteProblem => {
    switch (reason) {
      case "NotFound":
        return new NotFound({ detail: message })
      case "Shipped":
        return new Forbidden({ detail: SHIPPED_DENIAL })
      case "Fixed":
        return new Forbidden({ detail: FIXED_DENIAL })
      case "InUse":
        return new Conflict({ detail: `${message} Remove it there first: ${usersOf(usedBy, principal)}.` })
      case "Conflict":
        return new Conflict({ detail: message })
      case "Invalid":
      case "Full":
        return new UnprocessableContent({ detail: message })
      case "Unavailable":
        return new ServiceUnavailable({ detail: message })
    }
  }
