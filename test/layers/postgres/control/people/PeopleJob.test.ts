import { expect, setDefaultTimeout, test } from "bun:test"
import { Effect } from "effect"
import { deleteExpired } from "../../../../../layers/postgres/control/people/PeopleJob.ts"
import { PASSWORD, peopleOf, runLocally } from "../../../../support/postgres/peopleProcess.ts"
import { freshDatabase, openClient } from "../../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

test("expired sessions and links are deleted, and entries of the audit log that are older than the retention", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { audit, sessions, users } = yield* peopleOf(url)
      const ada = yield* users.create({ email: "ada@example.com", name: "Ada", password: PASSWORD })
      yield* users.createLink(ada.id)
      const open = sessions.open({ userId: ada.id, userAgent: null, replaces: null, method: "password" })
      const { session } = yield* open
      const kept = yield* open
      const sql = yield* openClient(url)
      yield* sql.unsafe("UPDATE product_analytics_user_link SET expires_at = now() - interval '1 minute'")
      yield* sql.unsafe(
        "UPDATE product_analytics_user_session SET expires_at = now() - interval '1 minute' WHERE id = $1::uuid",
        [session.id]
      )
      yield* sql.unsafe(
        "UPDATE product_analytics_audit SET at = now() - interval '31 days' WHERE action = 'user.create'"
      )
      yield* deleteExpired(sql, 30)
      expect((yield* sessions.list(ada.id)).map(({ id }) => id)).toEqual([kept.session.id])
      expect(yield* sql.unsafe("SELECT * FROM product_analytics_user_link")).toEqual([])
      expect((yield* audit.list({ limit: 10 })).map(({ action }) => action)).toEqual([
        "session.create",
        "session.create",
        "user.reset-link"
      ])
    })
  )
})
