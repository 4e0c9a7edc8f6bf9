import { expect, setDefaultTimeout, test } from "bun:test"
import { Effect } from "effect"
import { SiteId } from "../../../../../src/domain/ids.ts"
import {
  ADMINISTRATORS,
  ALL_USERS,
  CollectionId,
  type CollectionLevel,
  GroupId,
  PRODUCT_ANALYTICS,
  UserId
} from "../../../../../src/domain/people.ts"
import { allowing } from "../../../../support/eventually.ts"
import { PASSWORD, peopleOf, runLocally } from "../../../../support/postgres/peopleProcess.ts"
import { freshDatabase, openClient } from "../../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const reasonOf = <A>(effect: Effect.Effect<A, { readonly reason: string }>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

const levels = (...entries: ReadonlyArray<readonly [GroupId, CollectionLevel]>) =>
  new Map(
    entries.map(([group, level]) => [group, new Map<CollectionId, CollectionLevel>([[PRODUCT_ANALYTICS.id, level]])])
  )

test("an instance has All users, who may do nothing, and Administrators, who may do everything", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { groups } = yield* peopleOf(url)
      expect((yield* groups.list).map((group) => ({ ...group }))).toEqual([
        { id: ADMINISTRATORS, name: "Administrators", memberCount: 0, siteLimit: null, level: "write" },
        { id: ALL_USERS, name: "All users", memberCount: 0, siteLimit: null, level: "none" }
      ])
      expect(groups.accessOf([ALL_USERS])).toEqual({ isAdmin: false, siteLimit: [], levels: [new Map()] })
      expect(groups.accessOf([ALL_USERS, ADMINISTRATORS]).isAdmin).toBe(true)
      for (const id of [ALL_USERS, ADMINISTRATORS]) {
        expect(yield* reasonOf(groups.update(id, { name: "Others" }))).toBe("Invalid")
        expect(yield* reasonOf(groups.remove(id))).toBe("Invalid")
      }
      expect(yield* reasonOf(groups.update(ADMINISTRATORS, { siteLimit: [] }))).toBe("Invalid")
    })
  )
})

test("a group has a unique name, members and a limit to sites that exist, and every change is in the audit log", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { audit, groups, keys, sites, users } = yield* peopleOf(url)
      const shop = yield* sites.create({ name: "Shop" })
      const ada = yield* users.create({ email: "ada@example.com", name: "Ada", password: PASSWORD })
      const group = yield* groups.create({ name: " Analysts ", siteLimit: [shop.id] })
      expect(group).toMatchObject({ name: "Analysts", siteLimit: [shop.id], level: "none", memberCount: 0 })
      expect(yield* reasonOf(groups.create({ name: "ANALYSTS" }))).toBe("Conflict")
      expect(yield* reasonOf(groups.create({ name: "\u0007" }))).toBe("Invalid")
      const unknown = SiteId.make(crypto.randomUUID())
      expect((yield* Effect.flip(groups.update(group.id, { siteLimit: [unknown] }))).issues?.[0]?.field).toBe(
        "siteLimit"
      )
      const other = yield* groups.create({ name: "Other" })
      expect(yield* reasonOf(groups.update(other.id, { name: "analysts" }))).toBe("Conflict")
      const member = yield* groups.addMember(group.id, ada.id)
      expect(yield* groups.addMember(group.id, ada.id)).toEqual(member)
      expect(yield* groups.members(group.id)).toEqual([member])
      expect((yield* groups.get(group.id)).memberCount).toBe(1)
      expect(yield* groups.members(ALL_USERS)).toEqual([{ ...member, membershipId: null }])
      expect(yield* reasonOf(groups.addMember(ALL_USERS, ada.id))).toBe("Invalid")
      expect(yield* reasonOf(groups.addMember(group.id, UserId.make(999)))).toBe("NotFound")
      expect(yield* reasonOf(groups.addMember(GroupId.make(999), ada.id))).toBe("NotFound")
      yield* groups.removeMember(member.membershipId!)
      expect(yield* reasonOf(groups.removeMember(member.membershipId!))).toBe("NotFound")
      const { key } = yield* keys.create("bound", { role: null, isReadOnly: false, group: group.id })
      expect(yield* keys.verify(key)).toMatchObject({ role: null, group: group.id, isReadOnly: false })
      yield* groups.remove(group.id)
      expect(yield* reasonOf(groups.get(group.id))).toBe("NotFound")
      expect((yield* keys.list).length).toBe(0)
      expect((yield* audit.list({ limit: 20, targetKind: "group" })).map(({ action }) => action).reverse()).toEqual([
        "group.create",
        "group.create",
        "group.add-member",
        "group.add-member",
        "group.remove-member",
        "group.delete"
      ])
    })
  )
})

test("the last administrator cannot be removed from the group through the membership either", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { groups, users } = yield* peopleOf(url)
      yield* users.create({ email: "a@example.com", name: "Ada", password: PASSWORD, groups: [ADMINISTRATORS] })
      const [member] = yield* groups.members(ADMINISTRATORS)
      expect(yield* reasonOf(groups.removeMember(member!.membershipId!))).toBe("LastAdmin")
      expect(yield* groups.members(ADMINISTRATORS)).toEqual([member!])
    })
  )
})

test("several groups together give the levels of each, and the sites of those that may read", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { groups, sites } = yield* peopleOf(url)
      const [shop, blog, docs] = yield* Effect.forEach(["Shop", "Blog", "Docs"], (name) => sites.create({ name }))
      const reads = yield* groups.create({ name: "Reads the shop", siteLimit: [shop!.id] })
      const writes = yield* groups.create({ name: "Writes about the blog", siteLimit: [blog!.id] })
      const without = yield* groups.create({ name: "Has the docs without reading", siteLimit: [docs!.id] })
      const everything = yield* groups.create({ name: "Reads everything" })
      const graph = yield* groups.setGraph(0, levels([reads.id, "read"], [writes.id, "write"], [everything.id, "read"]))
      expect(graph.revision).toBe(1)
      const access = groups.accessOf([ALL_USERS, reads.id, writes.id, without.id])
      expect([access.isAdmin, access.siteLimit, access.levels.flatMap((own) => [...own.values()])]).toEqual([
        false,
        [shop!.id, blog!.id],
        ["read", "write"]
      ])
      expect(groups.accessOf([without.id]).siteLimit).toEqual([])
      expect(groups.accessOf([reads.id, everything.id]).siteLimit).toBeNull()
      expect(groups.accessOf([GroupId.make(999)])).toEqual({ isAdmin: false, siteLimit: [], levels: [] })
    })
  )
})

test("a collection has the level of the one above it until it gets its own, and follows again when it gets the same", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { groups } = yield* peopleOf(url)
      const sql = yield* openClient(url, 1)
      const add = (name: string, parent: number) =>
        Effect.map(
          sql.unsafe<{ id: number }>(
            "INSERT INTO product_analytics_collection (entity_id, name, parent_id) VALUES ($1, $1, $2::int) RETURNING id",
            [name, parent]
          ),
          ([row]) => CollectionId.make(row!.id)
        )
      const middle = yield* add("middle", PRODUCT_ANALYTICS.id)
      const bottom = yield* add("bottom", middle)
      const { id } = yield* groups.create({ name: "Analysts" })
      let { revision } = yield* groups.graph
      /** Sets levels, and returns those of Product Analytics, the collection below it and the one below that. */
      const set = Effect.fnUntraced(function* (...changes: ReadonlyArray<readonly [CollectionId, CollectionLevel]>) {
        const graph = yield* groups.setGraph(revision, new Map([[id, new Map(changes)]]))
        revision = graph.revision
        expect((yield* groups.graph).groups).toEqual(graph.groups)
        return [PRODUCT_ANALYTICS.id, middle, bottom].map((collection) => graph.groups.get(id)!.get(collection)).join()
      })
      expect(yield* set([PRODUCT_ANALYTICS.id, "read"])).toBe("read,read,read")
      expect(yield* set([middle, "none"])).toBe("read,none,none")
      expect(yield* set([PRODUCT_ANALYTICS.id, "write"])).toBe("write,none,none")
      expect(yield* set([bottom, "read"], [middle, "write"])).toBe("write,write,read")
      expect(yield* set([PRODUCT_ANALYTICS.id, "none"])).toBe("none,none,read")
      // Kept, so that the collection stays hidden when those above become readable.
      expect(yield* set([bottom, "none"])).toBe("none,none,none")
      expect(yield* set([PRODUCT_ANALYTICS.id, "read"])).toBe("read,read,none")
      expect(yield* set([bottom, "read"])).toBe("read,read,read")
      expect(yield* set([PRODUCT_ANALYTICS.id, "none"])).toBe("none,none,none")
      // A client that sends the whole graph back takes everything below, too, and gives nothing that it does not name.
      yield* set([PRODUCT_ANALYTICS.id, "read"])
      expect(yield* set([PRODUCT_ANALYTICS.id, "none"], [middle, "read"], [bottom, "read"])).toBe("none,none,none")
      yield* set([PRODUCT_ANALYTICS.id, "read"])
      expect(yield* set([PRODUCT_ANALYTICS.id, "write"], [middle, "read"], [bottom, "read"])).toBe("write,read,read")
    })
  )
})

test("the graph changes only from its latest revision, so that of two changes at the same time one is refused", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const one = yield* peopleOf(url)
      const two = yield* peopleOf(url)
      const outcomes = yield* Effect.all(
        [
          Effect.result(one.groups.setGraph(0, levels([ALL_USERS, "read"]))),
          Effect.result(two.groups.setGraph(0, levels([ALL_USERS, "write"])))
        ],
        { concurrency: "unbounded" }
      )
      expect(outcomes.map(({ _tag }) => _tag).toSorted()).toEqual(["Failure", "Success"])
      expect(yield* reasonOf(one.groups.setGraph(0, levels([ALL_USERS, "none"])))).toBe("Stale")
      expect(yield* reasonOf(one.groups.setGraph(1, levels([GroupId.make(99), "read"])))).toBe("Invalid")
      expect(yield* reasonOf(one.groups.setGraph(1, levels([ADMINISTRATORS, "none"])))).toBe("Invalid")
      const { groups, revision } = yield* one.groups.setGraph(1, levels([ALL_USERS, "none"], [ADMINISTRATORS, "write"]))
      expect([revision, groups.get(ALL_USERS)?.get(PRODUCT_ANALYTICS.id)]).toEqual([2, "none"])
      expect(groups.get(ADMINISTRATORS)?.get(PRODUCT_ANALYTICS.id)).toBe("write")
    })
  )
})

test("another process picks up a change of the permissions within 5 s, even if its notification is lost", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const mine = yield* peopleOf(url)
      const theirs = yield* peopleOf(url)
      const sql = yield* openClient(url)
      yield* sql.unsafe(
        "ALTER TABLE product_analytics_collection_permission DISABLE TRIGGER product_analytics_collection_permission_changed"
      )
      yield* mine.groups.setGraph(0, levels([ALL_USERS, "read"]))
      expect(mine.groups.accessOf([ALL_USERS]).siteLimit).toBeNull()
      const begin = performance.now()
      yield* Effect.sync(() => theirs.groups.accessOf([ALL_USERS]).siteLimit).pipe(
        Effect.delay("20 millis"),
        Effect.repeat({ until: (limit) => limit === null }),
        Effect.timeout("8 seconds")
      )
      expect(performance.now() - begin).toBeLessThan(allowing(5_000))
    })
  )
})
