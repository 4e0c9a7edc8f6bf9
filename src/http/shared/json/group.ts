import { Schema } from "effect"
import { CollectionLevel, type Group } from "../../../domain/people.ts"
import type { Member } from "../../../ports/Groups.ts"
import { EXAMPLE, NotBlank } from "./fields.ts"

const NAME = { description: "Unique, at most 100 characters", examples: ["Analysts"] } as const
const SITE_LIMIT = {
  description: "Ids of the sites that the group gives access to; null: all, an empty list: none",
  examples: [[EXAMPLE.siteId]]
} as const

const fields = {
  id: Schema.Int.annotate({ description: "1 is All users, 2 is Administrators", examples: [3] }),
  name: Schema.String.annotate(NAME),
  member_count: Schema.Int.annotate({ description: "Active users", examples: [1] }),
  site_limit: Schema.NullOr(Schema.Array(Schema.String)).annotate(SITE_LIMIT),
  level: CollectionLevel.annotate({
    description: "What its members may do in Product Analytics",
    examples: ["read"]
  })
}

export const GroupJson = Schema.Struct(fields).annotate({
  identifier: "Group",
  description: "Users who share permissions."
})
export type GroupJson = typeof GroupJson.Type

export const MemberJson = Schema.Struct({
  membership_id: Schema.NullOr(Schema.Int).annotate({
    description: "Null in All users, to which everyone belongs",
    examples: [12]
  }),
  user_id: Schema.Int.annotate({ examples: [7] }),
  email: Schema.String.annotate({ examples: ["ada@example.com"] }),
  name: Schema.String.annotate({ examples: ["Ada Lovelace"] })
}).annotate({ identifier: "Member" })
export type MemberJson = typeof MemberJson.Type

export const GroupWithMembersJson = Schema.Struct({
  ...fields,
  members: Schema.Array(MemberJson).annotate({
    description: "Active members by name, at most 1,000; `GET /api/user?group_id=` lists them page by page"
  })
}).annotate({ identifier: "GroupWithMembers", description: "A group and its members." })

const SiteLimit = Schema.NullOr(Schema.Array(Schema.String)).annotate(SITE_LIMIT)

export const GroupCreateJson = Schema.Struct({
  name: NotBlank.annotate(NAME),
  site_limit: Schema.optionalKey(SiteLimit)
}).annotate({ identifier: "GroupCreate" })

export const GroupUpdateJson = Schema.Struct({
  name: Schema.optionalKey(NotBlank.annotate(NAME)),
  site_limit: Schema.optionalKey(SiteLimit)
}).annotate({ identifier: "GroupUpdate" })

export const groupJson = (group: Group): GroupJson => ({
  id: group.id,
  name: group.name,
  member_count: group.memberCount,
  site_limit: group.siteLimit,
  level: group.level
})

export const memberJson = (member: Member): MemberJson => ({
  membership_id: member.membershipId,
  user_id: member.userId,
  email: member.email,
  name: member.name
})
