import { expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { eraseRecentlyDeleted } from "../../../../../layers/postgres/control/people/eraseUser.ts"
import { Principal } from "../../../../../src/domain/Principal.ts"
import { ADMINISTRATORS, PRODUCT_ANALYTICS } from "../../../../../src/domain/people.ts"
import { Content } from "../../../../../src/ports/Content.ts"
import { ContentLinks } from "../../../../../src/ports/ContentLinks.ts"
import { CurrentPrincipal } from "../../../../../src/ports/CurrentPrincipal.ts"
import { TimelineEvents } from "../../../../../src/ports/TimelineEvents.ts"
import { cardBody, startContent } from "../../../../support/postgres/content.ts"
import { PASSWORD, peopleOf, runLocally } from "../../../../support/postgres/peopleProcess.ts"
import { freshDatabase, openClient } from "../../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const TABLES = `SELECT relname AS name FROM pg_class
  WHERE relkind = 'r' AND NOT relispartition AND relnamespace = 'public'::regnamespace`

/** The tables with a row that contains a string, in any case. */
const tablesWith = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, text: string) {
  const found: Array<string> = []
  for (const { name } of yield* sql.unsafe<{ readonly name: string }>(TABLES)) {
    const rows = yield* sql.unsafe(`SELECT FROM ${name} AS t WHERE t::text ILIKE $1 LIMIT 1`, [`%${text}%`])
    if (rows.length > 0) found.push(name.replace("product_analytics_", ""))
  }
  return found.toSorted()
})

test("a deleted user's name and email are in no table any more, and what they made is as it was", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { audit, groups, sessions, users } = yield* peopleOf(url)
      const made = yield* startContent(url)
      yield* users.create({ email: "ada@example.com", name: "Ada", password: PASSWORD, groups: [ADMINISTRATORS] })
      const { id } = yield* users.create({ email: "hopper@example.com", name: "Hopper", password: PASSWORD })
      const author = { kind: "user" as const, id: String(id), name: "Hopper" }
      yield* users.ofIdentity(
        {
          issuer: "https://idp.example",
          subject: "hopper-1",
          email: "hopper@example.com",
          isEmailVerified: true,
          name: "Hopper",
          groups: null
        },
        false
      )
      const { token } = yield* sessions.open({ userId: id, userAgent: null, replaces: null, method: "password" })
      yield* users.createLink(id)
      const group = yield* groups.create({ name: "Analysts" })
      const membership = yield* groups.addMember(group.id, id)
      yield* groups.removeMember(membership.membershipId!)
      yield* groups.addMember(group.id, id)
      const content = Context.get(made, Content)
      const card = yield* content.create(
        [{ kind: "card", name: "Events", description: null, collection: PRODUCT_ANALYTICS.id, body: cardBody() }],
        author
      )
      yield* Effect.provideService(
        Effect.all([
          users.update(id, { name: "Grace Hopper", email: "grace.hopper@example.com" }),
          Context.get(made, TimelineEvents).create(
            { site: null, at: new Date(), timeMatters: false, name: "Launch", description: null, icon: "star" },
            author
          ),
          Context.get(made, ContentLinks).setEmbed({
            item: card.id,
            site: null,
            locked: {},
            lockedTo: {},
            hidden: [],
            exports: false,
            frameAncestors: [],
            author
          })
        ]),
        CurrentPrincipal,
        new Principal({ ...author, userId: id })
      )
      const sql = yield* openClient(url)
      expect(yield* tablesWith(sql, "hopper")).toEqual([
        "audit",
        "content",
        "content_link",
        "content_revision",
        "timeline_event",
        "user",
        "user_identity"
      ])

      yield* users.remove(id)
      expect(yield* tablesWith(sql, "hopper")).toEqual([])
      expect(yield* sessions.verify(token)).toBeNull()
      expect((yield* content.get("card", card.id)).author).toEqual({ ...author, name: "Deleted user" })
      const [deletion, ...earlier] = yield* audit.list({ limit: 100 })
      expect(deletion).toMatchObject({
        actorName: "command line",
        action: "user.delete",
        targetId: String(id),
        targetName: null
      })
      expect(earlier.find(({ action }) => action === "user.update")).toMatchObject({
        actorName: "Deleted user",
        targetName: "Deleted user",
        details: { email: "changed" }
      })

      // Another process still knew them for some seconds.
      yield* sql.unsafe("UPDATE product_analytics_content_revision SET author_name = 'Grace Hopper'")
      yield* eraseRecentlyDeleted(sql)
      expect(yield* tablesWith(sql, "hopper")).toEqual([])
    })
  )
})

test("the last administrator cannot be deleted, others can delete themselves, and an id is never given again", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const one = yield* peopleOf(url)
      const two = yield* peopleOf(url)
      const administrator = (name: string) =>
        one.users.create({ email: `${name}@example.com`, name, password: PASSWORD, groups: [ADMINISTRATORS] })
      const [ada, grace] = [yield* administrator("Lovelace"), yield* administrator("Hopper")]
      const outcomes = yield* Effect.all(
        [Effect.result(one.users.remove(ada.id)), Effect.result(two.users.remove(grace.id))],
        { concurrency: "unbounded" }
      )
      expect(outcomes.map(({ _tag }) => _tag).toSorted()).toEqual(["Failure", "Success"])
      const [left] = (yield* one.users.list({ status: "all", limit: 10, offset: 0 })).users
      expect((yield* Effect.flip(one.users.remove(left!.id))).reason).toBe("LastAdmin")
      const next = yield* administrator("Turing")
      expect(next.id).toBeGreaterThan(grace.id)
      const self = new Principal({ kind: "user", id: String(left!.id), name: left!.name, userId: left!.id })
      yield* Effect.provideService(one.users.remove(left!.id), CurrentPrincipal, self)
      const sql = yield* openClient(url)
      expect(yield* tablesWith(sql, left!.name)).toEqual([])
      expect((yield* Effect.flip(one.users.remove(left!.id))).reason).toBe("NotFound")
    })
  )
})
