import { Context, type Effect } from "effect"
import type { SiteId } from "../domain/ids.ts"
import type { Access, CollectionId, CollectionLevel, Group, GroupId, UserId } from "../domain/people.ts"
import type { PeopleError } from "./PeopleError.ts"

export interface Member {
  /** Null in All users, to which everyone belongs without a membership. */
  readonly membershipId: number | null
  readonly userId: UserId
  readonly email: string
  readonly name: string
}

/** A change of a group: absent keys keep their values. */
export interface GroupUpdate {
  readonly name?: string
  /** Null: all sites. */
  readonly siteLimit?: ReadonlyArray<SiteId> | null
}

/** What each group may do in each collection. */
export type PermissionLevels = ReadonlyMap<GroupId, ReadonlyMap<CollectionId, CollectionLevel>>

export interface PermissionGraph {
  /** Grows by one with each change. */
  readonly revision: number
  readonly groups: PermissionLevels
}

/** Groups of users, and what they may do. Changes are recorded in the audit log, and take effect in every process within 5 s. */
export class Groups extends Context.Service<
  Groups,
  {
    /** What somebody with these groups may do, from memory. */
    readonly accessOf: (groups: ReadonlyArray<GroupId>) => Access
    readonly list: Effect.Effect<ReadonlyArray<Group>, PeopleError>
    readonly get: (id: GroupId) => Effect.Effect<Group, PeopleError>
    readonly create: (group: GroupUpdate & { readonly name: string }) => Effect.Effect<Group, PeopleError>
    /** All users and Administrators keep their names, and Administrators see every site. */
    readonly update: (id: GroupId, change: GroupUpdate) => Effect.Effect<Group, PeopleError>
    /** Revokes the group's keys, too. */
    readonly remove: (id: GroupId) => Effect.Effect<void, PeopleError>
    /** Active members by name, at most 1,000. */
    readonly members: (id: GroupId) => Effect.Effect<ReadonlyArray<Member>, PeopleError>
    /** Fails with `NotFound` if the user is not a member, and with `Invalid` for All users, to which everyone belongs. */
    readonly member: (id: GroupId, user: UserId) => Effect.Effect<Member, PeopleError>
    readonly addMember: (id: GroupId, user: UserId) => Effect.Effect<Member, PeopleError>
    readonly removeMember: (membershipId: number) => Effect.Effect<void, PeopleError>
    readonly graph: Effect.Effect<PermissionGraph, PeopleError>
    /** Changes the levels that are given, if `revision` is the latest. */
    readonly setGraph: (revision: number, changes: PermissionLevels) => Effect.Effect<PermissionGraph, PeopleError>
  }
>()("footfall/ports/Groups") {}
