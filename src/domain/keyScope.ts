import type { Role } from "./Principal.ts"
import type { GroupId } from "./people.ts"

/** What an API key may do: what its role allows, or the group that it is bound to, of which `isReadOnly` leaves reading. */
export interface KeyScope {
  /** Null if it is bound to a group. */
  readonly role: Role | null
  readonly isReadOnly: boolean
  readonly group: GroupId | null
}

/** A key of the instance as a whole. */
export const instanceKey = (role: Role): KeyScope => ({ role, isReadOnly: false, group: null })
