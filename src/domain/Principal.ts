import { Schema } from "effect"
import type { SiteId } from "./ids.ts"
import {
  type CollectionId,
  type CollectionLevel,
  type CollectionLevels,
  type GroupId,
  isLower,
  levelIn,
  PRODUCT_ANALYTICS,
  type UserId
} from "./people.ts"

/** What an API key of the instance may do, as a whole. A key that is bound to a group has the group's permissions instead. */
export const Role = Schema.Literals(["admin", "viewer"])
export type Role = typeof Role.Type

export type Action = "read" | "create" | "update" | "delete"

/**
 * Who may take an action:
 * - `anyone`: also without signing in
 * - `caller`: every user, key and command
 * - `person`: a signed-in user, who acts on their own account; keys and commands have none
 * - `reader`: may read the resource's collection, and the resource's site if it has one
 * - `overseer`: a reader of every site
 * - `writer`: may save in the resource's collection
 * - `admin`: an administrator
 */
export type Requirement = "anyone" | "caller" | "person" | "reader" | "overseer" | "writer" | "admin"

/** Everything that the API protects, with who may do what. An action that is not listed is denied to everyone. */
const RULES = {
  sites: { read: "admin", create: "admin", update: "admin", delete: "admin" },
  "site-data": { delete: "admin" },
  demo: { create: "admin", delete: "admin" },
  stats: { read: "reader" },
  // Asking changes nothing: a key that is read-only may ask, too.
  questions: { read: "reader" },
  exports: { read: "caller" },
  rejections: { read: "reader" },
  "rejections-without-site": { read: "overseer" },
  settings: { read: "admin", update: "admin", delete: "admin" },
  keys: { read: "admin", create: "admin", delete: "admin" },
  status: { read: "overseer" },
  client: { read: "caller" },
  metadata: { read: "reader", update: "admin" },
  collections: { read: "reader", create: "writer", update: "writer" },
  cards: { read: "reader", create: "writer", update: "writer", delete: "writer" },
  dashboards: { read: "reader", create: "writer", update: "writer", delete: "writer" },
  segments: { read: "reader", create: "writer", update: "writer", delete: "writer" },
  cohorts: { read: "reader", create: "writer", update: "writer", delete: "writer" },
  "timeline-events": { read: "reader", create: "writer", update: "writer", delete: "writer" },
  search: { read: "reader" },
  instance: { read: "anyone" },
  setup: { create: "anyone" },
  session: { read: "person", create: "anyone", delete: "person" },
  "password-links": { read: "anyone", create: "anyone" },
  account: { read: "person", update: "person" },
  users: { read: "admin", create: "admin", update: "admin", delete: "admin" },
  groups: { read: "admin", create: "admin", update: "admin", delete: "admin" },
  permissions: { read: "admin", update: "admin" },
  audit: { read: "admin" },
  license: { read: "admin", update: "admin" },
  revisions: { read: "reader", update: "writer" },
  // Sharing makes what is in an item visible to others, or to anyone.
  "public-links": { read: "admin", create: "admin", delete: "admin" },
  embeddings: { read: "admin", update: "admin", delete: "admin" },
  "embedding-secret": { create: "admin" },
  // The handler checks the link or the token.
  shared: { read: "anyone" }
} as const satisfies Readonly<Record<string, Readonly<Partial<Record<Action, Requirement>>>>>

export type ResourceType = keyof typeof RULES

/** What a request acts on. */
export interface Resource {
  readonly type: ResourceType
  /** The site that it belongs to, as far as it belongs to one. */
  readonly site?: string
  /**
   * The path of the collection that it is in: those above it, from the top, then itself; default: Product Analytics.
   * `any`: the answer is about the collection that the principal may do most in.
   */
  readonly collection?: ReadonlyArray<CollectionId> | "any"
}

export const RESOURCE_TYPES = Object.keys(RULES) as ReadonlyArray<ResourceType>

/** Who may take an action on a kind of resource; null: no one. */
export const requirementOf = (action: Action, type: ResourceType): Requirement | null =>
  (RULES[type] as Partial<Record<Action, Requirement>>)[action] ?? null

/** What a key with the role `viewer` may do. It had these rights before there were users, and gets no more. */
const VIEWER_READS: ReadonlySet<ResourceType> = new Set([
  "stats",
  "questions",
  "exports",
  "metadata",
  "rejections",
  "rejections-without-site",
  "status",
  "client"
])

/** `link`: a public link or a signed embed. */
export type PrincipalKind = "anonymous" | "user" | "key" | "local" | "link"

interface PrincipalFields {
  readonly kind: PrincipalKind
  /** The id of the user or key, as a string; null for a local command and an anonymous caller. */
  readonly id: string | null
  readonly name: string
  /** The user, if it is one. */
  readonly userId?: UserId | null
  /** The id of the session that a user's request belongs to. */
  readonly sessionId?: string | null
  readonly isAdmin?: boolean
  /** May only read. */
  readonly isReadOnly?: boolean
  /** A key with the role `viewer`. */
  readonly isViewer?: boolean
  readonly groups?: ReadonlyArray<GroupId>
  readonly siteLimit?: ReadonlyArray<SiteId> | null
  /** The levels of each group. */
  readonly levels?: ReadonlyArray<CollectionLevels>
}

/** Who makes a request, and what is needed to decide what it may do. It is immutable and says nothing secret. */
export class Principal {
  readonly kind: PrincipalKind
  readonly id: string | null
  readonly name: string
  readonly userId: UserId | null
  readonly sessionId: string | null
  readonly isAdmin: boolean
  readonly isReadOnly: boolean
  readonly isViewer: boolean
  readonly groups: ReadonlyArray<GroupId>
  /**
   * The sites that the principal may see: the union over the groups that let it read Product Analytics. Null: all sites, those that are
   * added later included; an empty list: none.
   */
  readonly siteLimit: ReadonlyArray<SiteId> | null
  readonly #levels: ReadonlyArray<CollectionLevels>

  constructor(fields: PrincipalFields) {
    this.kind = fields.kind
    this.id = fields.id
    this.name = fields.name
    this.userId = fields.userId ?? null
    this.sessionId = fields.sessionId ?? null
    this.isAdmin = fields.isAdmin ?? false
    this.isReadOnly = fields.isReadOnly ?? false
    this.isViewer = fields.isViewer ?? false
    this.groups = fields.groups ?? []
    this.siteLimit = this.isAdmin || this.isViewer ? null : fields.siteLimit === undefined ? [] : fields.siteLimit
    this.#levels = fields.levels ?? []
  }

  /**
   * What the principal may do in the collection at the end of a path, or in the one where it may do most: the highest level of its groups.
   * Administrators may do everything.
   */
  levelIn(path: ReadonlyArray<CollectionId> | "any"): CollectionLevel {
    const levels =
      path === "any" ? this.#levels.flatMap((own) => [...own.values()]) : this.#levels.map((own) => levelIn(own, path))
    const highest = this.isAdmin ? "write" : highestOf(levels)
    return this.isReadOnly && highest === "write" ? "read" : highest
  }

  /** Who it is, as one string: different for different users and keys. All anonymous callers, and all local commands, are one. */
  get key(): string {
    return `${this.kind} ${this.id ?? ""}`
  }

  /** Whether the principal may see a site. */
  seesSite(site: string): boolean {
    return this.siteLimit === null || this.siteLimit.some((id) => id === site.toLowerCase())
  }

  can(action: Action, resource: Resource): boolean {
    return can(this, action, resource)
  }
}

const highestOf = (levels: ReadonlyArray<CollectionLevel>): CollectionLevel =>
  levels.reduce((highest, level) => (isLower(highest, level) ? level : highest), "none")

/** A caller that has not signed in. */
export const ANONYMOUS = new Principal({ kind: "anonymous", id: null, name: "anonymous" })

/** A command on the same machine, which could read the database anyway. */
export const LOCAL_COMMAND = new Principal({ kind: "local", id: null, name: "command line", isAdmin: true })

/** Why a principal may not do something; `detail` is a sentence for the caller. */
export interface Denial {
  readonly reason: "Unauthenticated" | "Forbidden"
  readonly detail: string
}

const forbidden = (detail: string): Denial => ({ reason: "Forbidden", detail })

const UNAUTHENTICATED: Denial = {
  reason: "Unauthenticated",
  detail: "Sign in, or send an API key as `Authorization: Bearer ff_…`; `bun run footfall keys create` creates one."
}
/** The wording of the contract, section 1.2. */
export const NO_COLLECTION_ACCESS = "You do not have access to the product analytics database"
const DENIALS = {
  undeclared: forbidden("This is not allowed."),
  readOnly: forbidden("This key is read-only."),
  viewer: forbidden("This requires a key with the role `admin`; yours is `viewer`."),
  person: forbidden("Only a signed-in user has an account; keys and commands have none."),
  reader: forbidden(NO_COLLECTION_ACCESS),
  site: forbidden("You do not have access to this site."),
  overseer: forbidden("This requires access to every site."),
  writer: forbidden("This requires write access to the collection."),
  admin: forbidden("This requires an administrator.")
} as const

const collectionDenial = (principal: Principal, needed: CollectionLevel, resource: Resource): Denial | null => {
  const level = principal.levelIn(resource.collection ?? [PRODUCT_ANALYTICS.id])
  if (level === "none") return DENIALS.reader
  if (isLower(level, needed)) return DENIALS.writer
  return resource.site === undefined || principal.seesSite(resource.site) ? null : DENIALS.site
}

/** Null if the requirement is met. Not called for anonymous callers and keys with the role `viewer`. */
const requirementDenial = (principal: Principal, requirement: Requirement, resource: Resource): Denial | null => {
  switch (requirement) {
    case "anyone":
    case "caller":
      return null
    case "person":
      return principal.kind === "user" ? null : DENIALS.person
    case "reader":
      return collectionDenial(principal, "read", resource)
    case "overseer":
      return collectionDenial(principal, "read", resource) ?? (principal.siteLimit === null ? null : DENIALS.overseer)
    case "writer":
      return collectionDenial(principal, "write", resource)
    case "admin":
      return principal.isAdmin ? null : DENIALS.admin
  }
}

/** Why a principal may not take an action on a resource; null if it may. Every route of the API is decided here. */
export const denialOf = (principal: Principal, action: Action, resource: Resource): Denial | null => {
  const requirement = requirementOf(action, resource.type)
  if (requirement === null) return principal.kind === "anonymous" ? UNAUTHENTICATED : DENIALS.undeclared
  if (requirement === "anyone") return null
  if (principal.kind === "anonymous") return UNAUTHENTICATED
  if (principal.isViewer) return action === "read" && VIEWER_READS.has(resource.type) ? null : DENIALS.viewer
  if (principal.isReadOnly && action !== "read") return DENIALS.readOnly
  return requirementDenial(principal, requirement, resource)
}

/** Whether a principal may take an action on a resource. */
export const can = (principal: Principal, action: Action, resource: Resource): boolean =>
  denialOf(principal, action, resource) === null
