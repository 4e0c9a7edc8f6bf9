import { expect, setDefaultTimeout, test } from "bun:test"
import { Effect } from "effect"
import { ADMINISTRATORS, ALL_USERS, UserId } from "../../../../../src/domain/people.ts"
import { allowing } from "../../../../support/eventually.ts"
import { PASSWORD, type People, peopleOf, runLocally } from "../../../../support/postgres/peopleProcess.ts"
import { freshDatabase, openClient } from "../../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const createAda = ({ users }: People) => users.create({ email: "ada@example.com", name: "Ada", password: PASSWORD })

const signIn = ({ sessions }: People, userId: UserId, replaces: string | null = null) =>
  sessions.open({ userId, userAgent: "Firefox/\u0007143", replaces, method: "password" })

test("a session is verified with its user and groups, listed without its token, and stored as a hash", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const people = yield* peopleOf(url)
      const ada = yield* createAda(people)
      const { session, token } = yield* signIn(people, ada.id)
      expect(token).toMatch(/^[\w-]{43}$/)
      expect(yield* people.sessions.verify(token)).toEqual({
        sessionId: session.id,
        userId: ada.id,
        name: "Ada",
        groups: [ALL_USERS]
      })
      expect(yield* people.sessions.list(ada.id)).toEqual([session])
      expect(session.userAgent).toBe("Firefox/143")
      expect(Math.round((session.expiresAt.getTime() - Date.now()) / 86_400_000)).toBe(14)
      expect((yield* people.users.get(ada.id)).lastLoginAt).not.toBeNull()
      const sql = yield* openClient(url)
      const [row] = yield* sql.unsafe<{ all: string; hash: string }>(
        "SELECT row_to_json(s)::text AS all, encode(hash, 'hex') AS hash FROM product_analytics_user_session s"
      )
      expect(row?.all).not.toContain(token)
      expect(row?.hash).toBe(new Bun.CryptoHasher("sha256").update(token).digest("hex"))
      expect((yield* people.audit.list({ limit: 1 }))[0]).toMatchObject({
        actorKind: "user",
        actorId: String(ada.id),
        action: "session.create",
        details: { method: "password" }
      })
      for (const wrong of ["", "x", "x".repeat(100_000), "\u0000"]) {
        expect(yield* people.sessions.verify(wrong)).toBeNull()
      }
    })
  )
})

test("signing in again replaces the session that the browser had, and the oldest of more than 50 end", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const people = yield* peopleOf(url)
      const ada = yield* createAda(people)
      const first = yield* signIn(people, ada.id)
      const second = yield* signIn(people, ada.id, first.token)
      expect(yield* people.sessions.verify(first.token)).toBeNull()
      for (let i = 0; i < 50; i++) yield* signIn(people, ada.id, "x".repeat(1_000))
      expect((yield* people.sessions.list(ada.id)).length).toBe(50)
      expect(yield* people.sessions.verify(second.token)).toBeNull()
      expect(yield* Effect.flip(signIn(people, UserId.make(999)))).toMatchObject({ reason: "NotFound" })
    })
  )
})

test("a user ends only their own sessions, and somebody else without a user ends any", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const people = yield* peopleOf(url)
      const ada = yield* createAda(people)
      const grace = yield* people.users.create({ email: "grace@example.com", name: "Grace" })
      const [one, two] = [yield* signIn(people, ada.id), yield* signIn(people, ada.id)]
      for (const id of [one.session.id, "9999", "'"]) {
        expect((yield* Effect.flip(people.sessions.end(id, grace.id))).reason).toBe("NotFound")
      }
      yield* people.sessions.end(one.session.id.toUpperCase(), ada.id)
      expect(yield* people.sessions.verify(one.token)).toBeNull()
      yield* people.sessions.end(two.session.id, null)
      const three = yield* signIn(people, ada.id)
      yield* people.sessions.endAll(ada.id)
      expect(yield* people.sessions.verify(three.token)).toBeNull()
      expect(yield* people.sessions.list(ada.id)).toEqual([])
    })
  )
})

test("a session expires without use, is extended by use up to its maximum, and its use is written in the background", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const sql = yield* openClient(url)
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const people = yield* peopleOf(url, { SESSION_IDLE_MINUTES: "60", SESSION_MAX_MINUTES: "90" })
          const ada = yield* createAda(people)
          const opened = yield* signIn(people, ada.id)
          yield* sql.unsafe(`UPDATE product_analytics_user_session SET
            created_at = now() - interval '40 minutes', last_seen_at = now() - interval '40 minutes',
            expires_at = now() + interval '20 minutes'`)
          expect(yield* people.sessions.verify(opened.token)).not.toBeNull()
          return { ...opened, user: ada.id }
        })
      )
      const people = yield* peopleOf(url)
      const [session] = yield* people.sessions.list(first.user)
      const minutes = (at: Date) => Math.round((at.getTime() - Date.now()) / 60_000) + 0
      // 60 minutes from now would be past the maximum of 90 minutes in all.
      expect([minutes(session!.lastSeenAt), minutes(session!.expiresAt)]).toEqual([0, 50])
      yield* sql.unsafe("UPDATE product_analytics_user_session SET expires_at = now() - interval '1 second'")
      expect(yield* people.sessions.verify(first.token)).toBeNull()
      expect(yield* people.sessions.list(first.user)).toEqual([])
    })
  )
})

test("a session that another process ended, or whose user it disabled, is rejected within 5 s, even without notifications", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const mine = yield* peopleOf(url)
      const theirs = yield* peopleOf(url)
      const ada = yield* createAda(mine)
      const grace = yield* mine.users.create({ email: "grace@example.com", name: "Grace" })
      const [a, b] = [yield* signIn(mine, ada.id), yield* signIn(mine, grace.id)]
      const sql = yield* openClient(url)
      for (const table of ["user", "user_session"]) {
        yield* sql.unsafe(`ALTER TABLE product_analytics_${table} DISABLE TRIGGER USER`)
      }
      for (const { token } of [a, b]) expect(yield* theirs.sessions.verify(token)).not.toBeNull()
      yield* mine.sessions.end(a.session.id, null)
      yield* mine.users.disable(grace.id)
      const begin = performance.now()
      for (const { token } of [a, b]) {
        yield* theirs.sessions
          .verify(token)
          .pipe(
            Effect.delay("20 millis"),
            Effect.repeat({ until: (found) => found === null }),
            Effect.timeout("8 seconds")
          )
      }
      expect(performance.now() - begin).toBeLessThan(allowing(5_000))
    })
  )
})

test("with notifications, another process notices new groups of a user at once", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const mine = yield* peopleOf(url)
      const theirs = yield* peopleOf(url)
      const ada = yield* createAda(mine)
      const { token } = yield* signIn(mine, ada.id)
      // Until both listen.
      yield* Effect.sleep("500 millis")
      expect((yield* theirs.sessions.verify(token))?.groups).toEqual([ALL_USERS])
      const begin = performance.now()
      yield* mine.groups.addMember(ADMINISTRATORS, ada.id)
      yield* theirs.sessions
        .verify(token)
        .pipe(
          Effect.delay("5 millis"),
          Effect.repeat({ until: (found) => found?.groups.includes(ADMINISTRATORS) === true }),
          Effect.timeout("8 seconds")
        )
      expect(performance.now() - begin).toBeLessThan(allowing(2_000))
    })
  )
})
