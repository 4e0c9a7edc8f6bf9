import { Schema } from "effect"
import { SiteId } from "./ids.ts"

/** The largest id that a column of the type `integer` holds. */
const MAX_ID = 2_147_483_647

const PositiveInt = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: MAX_ID }))

/** Whether a number can be the id of a user, group or collection. */
export const isId = Schema.is(PositiveInt)

export const UserId = PositiveInt.pipe(Schema.brand("UserId"))
export type UserId = typeof UserId.Type

export const GroupId = PositiveInt.pipe(Schema.brand("GroupId"))
export type GroupId = typeof GroupId.Type

export const CollectionId = PositiveInt.pipe(Schema.brand("CollectionId"))
export type CollectionId = typeof CollectionId.Type

/** The group that everyone belongs to, and the one whose members may do everything. Both exist from the start and stay. */
export const ALL_USERS = GroupId.make(1)
export const ADMINISTRATORS = GroupId.make(2)

/** What to do on an instance without an administrator. */
export const howToCreateAdministrator = (isSetupOpen: boolean): string =>
  `${isSetupOpen ? "Open the link that `bun run full` prints when it starts, or create one" : "Create one"}: \`bun run footfall users create --email ada@example.com --name "Ada Lovelace" --admin\`.`

/** The collection that controls access to Product Analytics, with the contract's entity id and namespace (section 1.2). */
export const PRODUCT_ANALYTICS = {
  id: CollectionId.make(1),
  entityId: "pA7xR2k-QeeHWB8_58vno",
  name: "Product Analytics",
  namespace: "analytics"
} as const

/** `read`: query and see; `write`: also save in the collection. */
export const CollectionLevel = Schema.Literals(["none", "read", "write"])
export type CollectionLevel = typeof CollectionLevel.Type

const RANK: Readonly<Record<CollectionLevel, number>> = { none: 0, read: 1, write: 2 }

/** Whether a level allows less than another. */
export const isLower = (level: CollectionLevel, other: CollectionLevel): boolean => RANK[level] < RANK[other]

/** The collections in which a group has a level of its own. The others have that of the nearest one above them. */
export type CollectionLevels = ReadonlyMap<CollectionId, CollectionLevel>

/** What a group may do in a collection, whose path begins at the top and ends with it. */
export const levelIn = (levels: CollectionLevels, path: ReadonlyArray<CollectionId>): CollectionLevel => {
  const nearest = path.findLast((id) => levels.has(id))
  return nearest === undefined ? "none" : levels.get(nearest)!
}

export const Theme = Schema.Literals(["system", "light", "dark"])
export type Theme = typeof Theme.Type

/** A person who can sign in. A disabled one keeps its records and is signed out. */
export class User extends Schema.Class<User>("User")({
  id: UserId,
  email: Schema.String,
  name: Schema.String,
  isAdmin: Schema.Boolean,
  isActive: Schema.Boolean,
  /** Whether the user can sign in with a password. Someone who was invited has none yet, and someone from an identity provider never. */
  hasPassword: Schema.Boolean,
  /** BCP 47; null: the browser's. */
  language: Schema.NullOr(Schema.String),
  /** IANA name; null: the instance's (`INSTANCE_TIMEZONE`). */
  timezone: Schema.NullOr(Schema.String),
  theme: Theme,
  groups: Schema.Array(GroupId),
  createdAt: Schema.Date,
  lastLoginAt: Schema.NullOr(Schema.Date)
}) {}

/** Users who share permissions. */
export class Group extends Schema.Class<Group>("Group")({
  id: GroupId,
  name: Schema.String,
  memberCount: Schema.Int,
  /** The sites that the group gives access to; null: all. */
  siteLimit: Schema.NullOr(Schema.Array(SiteId)),
  /** What its members may do in Product Analytics. */
  level: CollectionLevel
}) {}

/** What the members of one group may do. */
export interface GroupAccess {
  readonly siteLimit: ReadonlyArray<SiteId> | null
  readonly levels: CollectionLevels
}

/** What somebody may do through all their groups. */
export interface Access {
  readonly isAdmin: boolean
  /** The sites of the groups that may read Product Analytics; null: all sites. */
  readonly siteLimit: ReadonlyArray<SiteId> | null
  /** The levels of each group. In a collection, the highest one counts. */
  readonly levels: ReadonlyArray<CollectionLevels>
}

/** What several groups together allow. Groups that do not exist allow nothing. */
export const combineAccess = (groups: ReadonlyMap<GroupId, GroupAccess>, ids: ReadonlyArray<GroupId>): Access => {
  const levels: Array<CollectionLevels> = []
  const sites = new Set<SiteId>()
  let seesAllSites = false
  for (const id of ids) {
    const group = groups.get(id)
    if (group === undefined) continue
    levels.push(group.levels)
    // A group that cannot read the data gives access to no site.
    if (levelIn(group.levels, [PRODUCT_ANALYTICS.id]) === "none") continue
    if (group.siteLimit === null) seesAllSites = true
    else for (const site of group.siteLimit) sites.add(site)
  }
  return { isAdmin: ids.includes(ADMINISTRATORS), siteLimit: seesAllSites ? null : [...sites], levels }
}
