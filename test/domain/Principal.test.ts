import { describe, expect, test } from "bun:test"
import { SiteId } from "../../src/domain/ids.ts"
import {
  type Action,
  ANONYMOUS,
  can,
  denialOf,
  LOCAL_COMMAND,
  Principal,
  RESOURCE_TYPES,
  type ResourceType
} from "../../src/domain/Principal.ts"
import { CollectionId, type CollectionLevel, PRODUCT_ANALYTICS, UserId } from "../../src/domain/people.ts"

const SHOP = SiteId.make("3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f")
const BLOG = SiteId.make("94488cc1-2cd1-499b-83fc-bd7afd4cbcad")

const user = (level: CollectionLevel, siteLimit: ReadonlyArray<SiteId> | null = null) =>
  new Principal({
    kind: "user",
    id: "7",
    name: "Ada",
    userId: UserId.make(7),
    siteLimit: level === "none" ? [] : siteLimit,
    levels: [new Map([[PRODUCT_ANALYTICS.id, level]])]
  })
const key = (fields: Partial<ConstructorParameters<typeof Principal>[0]>) =>
  new Principal({ kind: "key", id: "k", name: "ci", ...fields })

const admin = new Principal({ kind: "user", id: "1", name: "Root", userId: UserId.make(1), isAdmin: true })
const viewerKey = key({ isViewer: true })
const readOnlyKey = key({ isAdmin: true, isReadOnly: true })

/** Every action that somebody may take, with the outcome for: reader, reader of another site, viewer key, read-only key. */
const POLICY: ReadonlyArray<readonly [Action, ResourceType, string]> = [
  ["read", "sites", "- - - R"],
  ["create", "sites", "- - - -"],
  ["update", "sites", "- - - -"],
  ["delete", "sites", "- - - -"],
  ["delete", "site-data", "- - - -"],
  ["create", "demo", "- - - -"],
  ["delete", "demo", "- - - -"],
  ["read", "stats", "r - v R"],
  ["read", "rejections", "r - v R"],
  ["read", "rejections-without-site", "r - v R"],
  ["read", "settings", "- - - R"],
  ["update", "settings", "- - - -"],
  ["delete", "settings", "- - - -"],
  ["read", "keys", "- - - R"],
  ["create", "keys", "- - - -"],
  ["delete", "keys", "- - - -"],
  ["read", "status", "r - v R"],
  ["read", "client", "r o v R"],
  ["read", "collections", "r o - R"],
  ["create", "collections", "- - - -"],
  ["update", "collections", "- - - -"],
  ["read", "cards", "r o - R"],
  ["create", "cards", "- - - -"],
  ["update", "cards", "- - - -"],
  ["delete", "cards", "- - - -"],
  ["read", "dashboards", "r o - R"],
  ["create", "dashboards", "- - - -"],
  ["update", "dashboards", "- - - -"],
  ["delete", "dashboards", "- - - -"],
  ["read", "segments", "r o - R"],
  ["create", "segments", "- - - -"],
  ["update", "segments", "- - - -"],
  ["delete", "segments", "- - - -"],
  ["read", "cohorts", "r o - R"],
  ["create", "cohorts", "- - - -"],
  ["update", "cohorts", "- - - -"],
  ["delete", "cohorts", "- - - -"],
  ["read", "timeline-events", "r o - R"],
  ["create", "timeline-events", "- - - -"],
  ["update", "timeline-events", "- - - -"],
  ["delete", "timeline-events", "- - - -"],
  ["read", "questions", "r o v R"],
  ["read", "exports", "r o v R"],
  ["read", "metadata", "r o v R"],
  ["update", "metadata", "- - - -"],
  ["read", "search", "r o - R"],
  ["read", "users", "- - - R"],
  ["create", "users", "- - - -"],
  ["update", "users", "- - - -"],
  ["delete", "users", "- - - -"],
  ["read", "groups", "- - - R"],
  ["create", "groups", "- - - -"],
  ["update", "groups", "- - - -"],
  ["delete", "groups", "- - - -"],
  ["read", "permissions", "- - - R"],
  ["update", "permissions", "- - - -"],
  ["read", "audit", "- - - R"],
  ["read", "license", "- - - R"],
  ["update", "license", "- - - -"],
  ["read", "revisions", "r o - R"],
  ["update", "revisions", "- - - -"],
  ["read", "public-links", "- - - R"],
  ["create", "public-links", "- - - -"],
  ["delete", "public-links", "- - - -"],
  ["read", "embeddings", "- - - R"],
  ["update", "embeddings", "- - - -"],
  ["delete", "embeddings", "- - - -"],
  ["create", "embedding-secret", "- - - -"]
]

/** What everyone may do, also without signing in. */
const PUBLIC: ReadonlyArray<readonly [Action, ResourceType]> = [
  ["read", "instance"],
  ["create", "setup"],
  ["create", "session"],
  ["read", "password-links"],
  ["create", "password-links"],
  ["read", "shared"]
]

/** What signed-in users may do with what is their own. */
const PERSONAL: ReadonlyArray<readonly [Action, ResourceType]> = [
  ["read", "session"],
  ["delete", "session"],
  ["read", "account"],
  ["update", "account"]
]

describe("the policy", () => {
  test.each(POLICY)(
    "the permission to %s %s is %s for reader, other site's reader, viewer, read-only key",
    (action, type, expected) => {
      const resource = { type, ...((type === "stats" || type === "rejections") && { site: SHOP }) }
      const marks = [
        can(user("read"), action, resource) ? "r" : "-",
        can(user("read", [BLOG]), action, resource) ? "o" : "-",
        can(viewerKey, action, resource) ? "v" : "-",
        can(readOnlyKey, action, resource) ? "R" : "-"
      ]
      expect(marks.join(" ")).toBe(expected)
      expect([can(admin, action, resource), can(LOCAL_COMMAND, action, resource)]).toEqual([true, true])
      expect(denialOf(ANONYMOUS, action, resource)?.reason).toBe("Unauthenticated")
    }
  )

  test.each(PUBLIC)("everyone may %s %s", (action, type) => {
    for (const principal of [ANONYMOUS, user("none"), viewerKey, readOnlyKey, admin, LOCAL_COMMAND]) {
      expect([principal.name, can(principal, action, { type })]).toEqual([principal.name, true])
    }
  })

  test.each(PERSONAL)("every signed-in user may %s their %s, and keys and commands have none", (action, type) => {
    for (const principal of [user("none"), user("read"), admin]) expect(can(principal, action, { type })).toBe(true)
    for (const principal of [viewerKey, readOnlyKey, LOCAL_COMMAND])
      expect(can(principal, action, { type })).toBe(false)
    expect(denialOf(ANONYMOUS, action, { type })?.reason).toBe("Unauthenticated")
  })

  test("an action that it does not list is denied even to administrators", () => {
    const listed = new Set([...POLICY, ...PUBLIC, ...PERSONAL].map(([action, type]) => `${action} ${type}`))
    for (const type of RESOURCE_TYPES) {
      for (const action of ["read", "create", "update", "delete"] as const) {
        if (listed.has(`${action} ${type}`)) continue
        expect([action, type, can(admin, action, { type })]).toEqual([action, type, false])
      }
    }
  })
})

describe("a grant on a collection", () => {
  const OTHER = CollectionId.make(9)
  const writer = new Principal({
    kind: "user",
    id: "8",
    name: "Bob",
    siteLimit: null,
    levels: [
      new Map([
        [PRODUCT_ANALYTICS.id, "read"],
        [OTHER, "write"]
      ])
    ]
  })

  test("holds for the collections below it", () => {
    const below = CollectionId.make(10)
    expect(writer.can("update", { type: "cards", collection: [PRODUCT_ANALYTICS.id, OTHER, below] })).toBe(true)
    expect(writer.can("update", { type: "cards", collection: [PRODUCT_ANALYTICS.id, below] })).toBe(false)
    expect(writer.can("read", { type: "cards", collection: [PRODUCT_ANALYTICS.id, below] })).toBe(true)
    expect(writer.can("read", { type: "cards", collection: [below] })).toBe(false)
  })

  test("does not hold below a collection for which its group has another level, and the highest of several groups counts", () => {
    const [hidden, below] = [CollectionId.make(11), CollectionId.make(12)]
    const path = [PRODUCT_ANALYTICS.id, hidden, below]
    const principal = (...levels: ReadonlyArray<ReadonlyArray<readonly [CollectionId, CollectionLevel]>>) =>
      new Principal({ kind: "user", id: "9", name: "Eve", siteLimit: null, levels: levels.map((own) => new Map(own)) })
    const mayRead = (who: Principal, at = path) => who.can("read", { type: "cards", collection: at })
    const own = [
      [PRODUCT_ANALYTICS.id, "write"],
      [hidden, "none"]
    ] as const
    expect([mayRead(principal(own)), mayRead(principal(own), path.slice(0, 1))]).toEqual([false, true])
    expect(mayRead(principal([...own, [below, "read"]]))).toBe(true)
    expect(mayRead(principal(own, [[PRODUCT_ANALYTICS.id, "read"]]))).toBe(true)
    expect(mayRead(principal(own, [[hidden, "none"]]))).toBe(false)
    const lower = principal([
      [PRODUCT_ANALYTICS.id, "write"],
      [hidden, "read"]
    ])
    expect([mayRead(lower), lower.can("update", { type: "cards", collection: path })]).toEqual([true, false])
  })

  test("is enough for what may be in any collection", () => {
    expect(writer.can("create", { type: "cards" })).toBe(false)
    expect(writer.can("create", { type: "cards", collection: "any" })).toBe(true)
    expect(user("read").can("create", { type: "cards", collection: "any" })).toBe(false)
    expect(admin.can("create", { type: "cards", collection: "any" })).toBe(true)
  })
})

describe("a principal", () => {
  test("without a group that reads the collection gets the contract's message", () => {
    expect(denialOf(user("none"), "read", { type: "stats", site: SHOP })).toEqual({
      reason: "Forbidden",
      detail: "You do not have access to the product analytics database"
    })
  })

  test("that is limited to some sites sees only these, whatever the case of the id", () => {
    const limited = user("read", [SHOP])
    expect([limited.seesSite(SHOP), limited.seesSite(SHOP.toUpperCase()), limited.seesSite(BLOG)]).toEqual([
      true,
      true,
      false
    ])
    expect(denialOf(limited, "read", { type: "status" })?.detail).toBe("This requires access to every site.")
  })

  test("that is an administrator is not limited to sites, and writes everywhere unless it is read-only", () => {
    expect([admin.siteLimit, admin.levelIn([PRODUCT_ANALYTICS.id])]).toEqual([null, "write"])
    expect(readOnlyKey.levelIn([PRODUCT_ANALYTICS.id])).toBe("read")
  })

  test("that is a read-only key bound to a group which may write can only read", () => {
    const bound = key({ isReadOnly: true, siteLimit: null, levels: [new Map([[PRODUCT_ANALYTICS.id, "write"]])] })
    expect(bound.levelIn([PRODUCT_ANALYTICS.id])).toBe("read")
  })

  test("sees no site unless it is said which", () => {
    expect(key({}).siteLimit).toEqual([])
    expect(ANONYMOUS.siteLimit).toEqual([])
  })
})
