import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Redacted } from "effect"
import { ADMINISTRATORS, ALL_USERS, GroupId, UserId } from "../../../../../src/domain/people.ts"
import type { Identity } from "../../../../../src/ports/Users.ts"
import { OTHER_PASSWORD, PASSWORD, peopleOf, runLocally } from "../../../../support/postgres/peopleProcess.ts"
import { freshDatabase, openClient } from "../../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const ADA = { email: "Ada@Example.com", name: " Ada Lovelace ", password: PASSWORD }
const GRACE = { email: "grace@example.com", name: "Grace", password: PASSWORD }

const reasonOf = <A>(effect: Effect.Effect<A, { readonly reason: string }>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

test("a created user is in All users and the given groups, and the password is stored only as argon2id", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { audit, users } = yield* peopleOf(url)
      const ada = yield* users.create({ ...ADA, groups: [ADMINISTRATORS], timezone: "Europe/London" })
      expect(ada).toMatchObject({
        email: "ada@example.com",
        name: "Ada Lovelace",
        isAdmin: true,
        isActive: true,
        hasPassword: true,
        groups: [ALL_USERS, ADMINISTRATORS],
        timezone: "Europe/London",
        language: null,
        theme: "system",
        lastLoginAt: null
      })
      expect(yield* users.get(ada.id)).toEqual(ada)
      const sql = yield* openClient(url)
      const [row] = yield* sql.unsafe<{ all: string; hash: string }>(
        "SELECT row_to_json(u)::text AS all, password_hash AS hash FROM product_analytics_user u"
      )
      expect(row?.hash).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$")
      expect(row?.all).not.toContain(Redacted.value(PASSWORD))
      const [entry] = yield* audit.list({ limit: 10 })
      expect(entry).toMatchObject({
        actorKind: "local",
        actorName: "command line",
        action: "user.create",
        targetKind: "user",
        targetId: String(ada.id),
        targetName: "Ada Lovelace",
        details: { group_ids: [1, 2] }
      })
      expect(JSON.stringify(yield* audit.list({ limit: 10 }))).not.toContain("ada@")
    })
  )
})

describe("a user cannot be created", () => {
  test("with invalid values, all of which are reported together", async () => {
    const url = await freshDatabase()
    await runLocally(
      Effect.gen(function* () {
        const { users } = yield* peopleOf(url)
        const error = yield* Effect.flip(
          users.create({
            email: "ada",
            name: " ",
            language: "not a language",
            timezone: "Mars/Base",
            theme: "pink",
            password: Redacted.make("short")
          })
        )
        expect(error.issues?.map(({ field }) => field)).toEqual([
          "email",
          "name",
          "language",
          "timezone",
          "theme",
          "password"
        ])
        expect((yield* users.list({ status: "all", limit: 10, offset: 0 })).total).toBe(0)
      })
    )
  })

  test("in a group that does not exist, and then leaves no trace", async () => {
    const url = await freshDatabase()
    await runLocally(
      Effect.gen(function* () {
        const { audit, users } = yield* peopleOf(url)
        const error = yield* Effect.flip(users.create({ ...ADA, groups: [GroupId.make(77)] }))
        expect([error.reason, error.message]).toEqual(["Invalid", "There is no group with the id 77."])
        expect((yield* users.list({ status: "all", limit: 10, offset: 0 })).total).toBe(0)
        expect(yield* audit.list({ limit: 10 })).toEqual([])
      })
    )
  })

  test("twice with the same email in another case, even at the same time", async () => {
    const url = await freshDatabase()
    await runLocally(
      Effect.gen(function* () {
        const one = yield* peopleOf(url)
        const two = yield* peopleOf(url)
        const outcomes = yield* Effect.forEach(
          [one, two, one, two],
          ({ users }, index) =>
            users.create({ ...ADA, email: index % 2 === 0 ? "ada@example.com" : "ADA@EXAMPLE.COM" }).pipe(
              Effect.as("created"),
              Effect.catch(({ reason }) => Effect.succeed(reason))
            ),
          { concurrency: "unbounded" }
        )
        expect(outcomes.toSorted()).toEqual(["Conflict", "Conflict", "Conflict", "created"])
      })
    )
  })
})

test("an update changes only what is given, and an email of somebody else is a conflict", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { audit, users } = yield* peopleOf(url)
      const ada = yield* users.create(ADA)
      yield* users.create(GRACE)
      const changed = yield* users.update(ada.id, { name: "Countess", language: "EN-gb", theme: "dark" })
      expect(changed).toMatchObject({ name: "Countess", language: "en-GB", theme: "dark", email: "ada@example.com" })
      expect(yield* users.update(ada.id, { language: null })).toMatchObject({ language: null, name: "Countess" })
      expect(yield* reasonOf(users.update(ada.id, { email: "GRACE@example.com" }))).toBe("Conflict")
      expect(yield* reasonOf(users.update(UserId.make(999), { name: "x" }))).toBe("NotFound")
      const [, latest] = yield* audit.list({ limit: 2 })
      expect(latest).toMatchObject({
        action: "user.update",
        details: { name: "Countess", language: "EN-gb", theme: "dark" }
      })
    })
  )
})

test("users are listed by name, page by page, by state, part of their name or email, and group", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { users } = yield* peopleOf(url)
      const people = yield* Effect.forEach(["carol", "Bob", "alice", "100%_x"], (name) =>
        users.create({ email: `${name.replaceAll(/\W/g, "")}@example.com`, name })
      )
      yield* users.update(people[0]!.id, { groups: [ADMINISTRATORS] })
      yield* users.disable(people[1]!.id)
      const names = (options: Partial<Parameters<typeof users.list>[0]>) =>
        Effect.map(users.list({ status: "all", limit: 10, offset: 0, ...options }), ({ total, users: found }) => [
          total,
          ...found.map(({ name }) => name)
        ])
      expect(yield* names({})).toEqual([4, "100%_x", "alice", "Bob", "carol"])
      expect(yield* names({ limit: 2, offset: 1 })).toEqual([4, "alice", "Bob"])
      expect(yield* names({ limit: 2, offset: 9 })).toEqual([4])
      expect(yield* names({ status: "active" })).toEqual([3, "100%_x", "alice", "carol"])
      expect(yield* names({ status: "deactivated" })).toEqual([1, "Bob"])
      expect(yield* names({ query: "CAR" })).toEqual([1, "carol"])
      expect(yield* names({ query: "0%_" })).toEqual([1, "100%_x"])
      expect(yield* names({ query: "ali%ce" })).toEqual([0])
      expect(yield* names({ group: ADMINISTRATORS })).toEqual([1, "carol"])
      expect(yield* names({ group: ALL_USERS })).toEqual([4, "100%_x", "alice", "Bob", "carol"])
    })
  )
})

test("the only administrator stays one, also before they can sign in", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { users } = yield* peopleOf(url)
      const invited = yield* users.create({ email: "new@example.com", name: "New", groups: [ADMINISTRATORS] })
      expect(yield* reasonOf(users.disable(invited.id))).toBe("LastAdmin")
      expect(yield* reasonOf(users.remove(invited.id))).toBe("LastAdmin")
      expect(yield* reasonOf(users.update(invited.id, { groups: [] }))).toBe("LastAdmin")
      yield* users.create({ email: "other@example.com", name: "Other", groups: [ADMINISTRATORS] })
      yield* users.remove(invited.id)
    })
  )
})

describe("the last administrator who can sign in", () => {
  test("cannot be disabled or removed from the group, not even by two requests at the same time", async () => {
    const url = await freshDatabase()
    await runLocally(
      Effect.gen(function* () {
        const one = yield* peopleOf(url)
        const two = yield* peopleOf(url)
        const ada = yield* one.users.create({ ...ADA, groups: [ADMINISTRATORS] })
        // Somebody who was only invited cannot sign in yet.
        yield* one.users.create({ email: "new@example.com", name: "New", groups: [ADMINISTRATORS] })
        expect(yield* reasonOf(one.users.disable(ada.id))).toBe("LastAdmin")
        expect(yield* reasonOf(one.users.update(ada.id, { groups: [] }))).toBe("LastAdmin")
        expect(yield* one.users.get(ada.id)).toMatchObject({ isAdmin: true, isActive: true })
        const grace = yield* one.users.create({ ...GRACE, groups: [ADMINISTRATORS] })
        for (let round = 0; round < 5; round++) {
          const outcomes = yield* Effect.all(
            [Effect.result(one.users.disable(ada.id)), Effect.result(two.users.update(grace.id, { groups: [] }))],
            { concurrency: "unbounded" }
          )
          expect(outcomes.map(({ _tag }) => _tag).toSorted()).toEqual(["Failure", "Success"])
          yield* one.users.enable(ada.id)
          yield* one.users.update(grace.id, { groups: [ADMINISTRATORS] })
        }
      })
    )
  })
})

test("a disabled user loses sessions and links, and enabling brings neither back", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { sessions, users } = yield* peopleOf(url)
      const ada = yield* users.create(ADA)
      const { token } = yield* sessions.open({ userId: ada.id, userAgent: null, replaces: null, method: "password" })
      const link = yield* users.createLink(ada.id)
      expect(yield* users.disable(ada.id)).toMatchObject({ isActive: false })
      expect(yield* reasonOf(users.createLink(ada.id))).toBe("Conflict")
      expect((yield* users.credentials("ada@example.com"))?.isActive).toBe(false)
      yield* users.enable(ada.id)
      expect(yield* sessions.verify(token)).toBeNull()
      expect(yield* users.linkOwner(link.token)).toBeNull()
      expect(yield* users.disable(ada.id)).toEqual(yield* users.disable(ada.id))
    })
  )
})

describe("a link", () => {
  test("of an invited user sets the first password once, ends older links, and is stored as a hash", async () => {
    const url = await freshDatabase()
    await runLocally(
      Effect.gen(function* () {
        const { audit, users } = yield* peopleOf(url)
        const { id } = yield* users.create({ email: "ada@example.com", name: "Ada" })
        const first = yield* users.createLink(id)
        const link = yield* users.createLink(id)
        expect(link.kind).toBe("invitation")
        expect(Math.round((link.expiresAt.getTime() - Date.now()) / 86_400_000)).toBe(7)
        expect(yield* users.linkOwner(first.token)).toBeNull()
        expect(yield* users.linkOwner(link.token)).toMatchObject({ kind: "invitation", email: "ada@example.com" })
        const sql = yield* openClient(url)
        const stored = yield* sql.unsafe<{ all: string }>(
          "SELECT row_to_json(l)::text AS all FROM product_analytics_user_link l"
        )
        expect(stored[0]?.all).not.toContain(link.token)
        const weak = yield* Effect.flip(users.followLink(link.token, Redacted.make("ada@example.com")))
        expect(weak.issues).toEqual([{ field: "password", message: "The password must not be your name or email." }])
        const outcomes = yield* Effect.forEach(
          [PASSWORD, PASSWORD, PASSWORD],
          (password) => Effect.result(users.followLink(link.token, password)),
          { concurrency: "unbounded" }
        )
        expect(outcomes.map(({ _tag }) => _tag).toSorted()).toEqual(["Failure", "Failure", "Success"])
        expect((yield* users.credentials("ada@example.com"))?.passwordHash).toStartWith("$argon2id$")
        expect((yield* audit.list({ limit: 1 }))[0]).toMatchObject({
          actorKind: "user",
          actorName: "Ada",
          action: "user.accept-invitation"
        })
      })
    )
  })

  test("of a known user resets the password, which ends all sessions, and expires after a day", async () => {
    const url = await freshDatabase()
    await runLocally(
      Effect.gen(function* () {
        const { sessions, users } = yield* peopleOf(url)
        const ada = yield* users.create(ADA)
        const { token } = yield* sessions.open({ userId: ada.id, userAgent: null, replaces: null, method: "password" })
        const link = yield* users.createLink(ada.id)
        expect([link.kind, Math.round((link.expiresAt.getTime() - Date.now()) / 3_600_000)]).toEqual(["reset", 24])
        yield* users.followLink(link.token, OTHER_PASSWORD)
        expect(yield* sessions.verify(token)).toBeNull()
        const expired = yield* users.createLink(ada.id)
        const sql = yield* openClient(url)
        yield* sql.unsafe("UPDATE product_analytics_user_link SET expires_at = now() - interval '1 second'")
        expect(yield* users.linkOwner(expired.token)).toBeNull()
        expect(yield* reasonOf(users.followLink(expired.token, PASSWORD))).toBe("Denied")
        for (const hostile of ["", "x".repeat(100_000), "\u0000", "'; DROP TABLE product_analytics_user; --"]) {
          expect(yield* users.linkOwner(hostile)).toBeNull()
        }
      })
    )
  })
})

test("a changed password ends every session but the one that changed it", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { sessions, users } = yield* peopleOf(url)
      const ada = yield* users.create(ADA)
      const open = sessions.open({ userId: ada.id, userAgent: null, replaces: null, method: "password" })
      const [kept, other] = [yield* open, yield* open]
      yield* users.setPassword(ada.id, OTHER_PASSWORD, kept.session.id)
      expect((yield* sessions.verify(kept.token))?.userId).toBe(ada.id)
      expect(yield* sessions.verify(other.token)).toBeNull()
    })
  )
})

describe("an identity of a provider", () => {
  const identity = (fields: Partial<Identity>): Identity => ({
    issuer: "https://idp.example",
    subject: "s-1",
    email: "ada@example.com",
    isEmailVerified: true,
    name: "Ada",
    groups: null,
    ...fields
  })

  test("signs in as the user with its verified email, and later as the same user whatever its email", async () => {
    const url = await freshDatabase()
    await runLocally(
      Effect.gen(function* () {
        const { users } = yield* peopleOf(url)
        const ada = yield* users.create(ADA)
        expect(yield* reasonOf(users.ofIdentity(identity({ isEmailVerified: false }), true))).toBe("Denied")
        expect((yield* users.ofIdentity(identity({}), false)).id).toBe(ada.id)
        expect((yield* users.ofIdentity(identity({ email: "new@example.com" }), false)).id).toBe(ada.id)
        expect(yield* reasonOf(users.ofIdentity(identity({ subject: "s-2", email: "x@example.com" }), false))).toBe(
          "Denied"
        )
        yield* users.disable(ada.id)
        expect((yield* Effect.flip(users.ofIdentity(identity({}), true))).message).toContain("disabled")
      })
    )
  })

  test("becomes a new user only if that is allowed, and only one when it signs in twice at the same time", async () => {
    const url = await freshDatabase()
    await runLocally(
      Effect.gen(function* () {
        const one = yield* peopleOf(url)
        const two = yield* peopleOf(url)
        expect(yield* reasonOf(one.users.ofIdentity(identity({}), false))).toBe("Denied")
        expect(yield* reasonOf(one.users.ofIdentity(identity({ email: null }), true))).toBe("Denied")
        const found = yield* Effect.forEach(
          [one, two, one, two],
          ({ users }) => users.ofIdentity(identity({ name: null }), true),
          { concurrency: "unbounded" }
        )
        expect(new Set(found.map(({ id }) => id)).size).toBe(1)
        expect(found[0]).toMatchObject({
          name: "ada",
          email: "ada@example.com",
          hasPassword: false,
          groups: [ALL_USERS]
        })
      })
    )
  })

  test("joins and leaves the groups that its provider manages, but never as the last administrator", async () => {
    const url = await freshDatabase()
    await runLocally(
      Effect.gen(function* () {
        const { groups, users } = yield* peopleOf(url)
        const analysts = yield* groups.create({ name: "Analysts" })
        const sales = yield* groups.create({ name: "Sales" })
        const ada = yield* users.create({ email: "ada@example.com", name: "Ada", groups: [sales.id] })
        const managed = (entries: Record<string, boolean>) =>
          Effect.map(
            users.ofIdentity(identity({ groups: new Map(Object.entries(entries)) }), false),
            (user) => user.groups
          )
        expect(yield* managed({ analysts: true, Administrators: true, Missing: true })).toEqual([
          ALL_USERS,
          ADMINISTRATORS,
          analysts.id,
          sales.id
        ])
        expect(yield* managed({ Analysts: false, Administrators: false })).toEqual([
          ALL_USERS,
          ADMINISTRATORS,
          sales.id
        ])
        yield* users.create({ ...GRACE, groups: [ADMINISTRATORS] })
        expect(yield* managed({ Administrators: false })).toEqual([ALL_USERS, sales.id])
        expect((yield* users.get(ada.id)).isAdmin).toBe(false)
      })
    )
  })
})
