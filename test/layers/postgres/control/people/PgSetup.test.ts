import { expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Redacted } from "effect"
import { ADMINISTRATORS } from "../../../../../src/domain/people.ts"
import { OTHER_PASSWORD, PASSWORD, peopleOf, runLocally } from "../../../../support/postgres/peopleProcess.ts"
import { freshDatabase, openClient } from "../../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const ADA = { email: "ada@example.com", name: "Ada", password: PASSWORD }

test("of several processes that complete setup at the same time one creates the administrator, and setup is closed", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const one = yield* peopleOf(url)
      const two = yield* peopleOf(url)
      expect([yield* one.setup.isOpen, yield* two.setup.isOpen]).toEqual([true, true])
      const tokens = [(yield* one.setup.createToken)!, (yield* two.setup.createToken)!]
      expect(tokens[0]).toMatch(/^[\w-]{43}$/)
      const outcomes = yield* Effect.forEach(
        [one, two, one, two],
        ({ setup }, index) =>
          Effect.result(setup.complete(tokens[index % 2]!, { ...ADA, email: `admin${index}@example.com` })),
        { concurrency: "unbounded" }
      )
      expect(outcomes.map(({ _tag }) => _tag).toSorted()).toEqual(["Failure", "Failure", "Failure", "Success"])
      const { total, users } = yield* one.users.list({ status: "all", limit: 10, offset: 0 })
      expect([total, users[0]?.isAdmin]).toEqual([1, true])
      expect([yield* one.setup.isOpen, yield* two.setup.isOpen]).toEqual([false, false])
      expect([yield* one.setup.createToken, yield* two.setup.isValid(tokens[1]!)]).toEqual([null, false])
      const sql = yield* openClient(url)
      expect(yield* sql.unsafe("SELECT * FROM product_analytics_setup_link")).toEqual([])
    })
  )
})

test("setup writes the instance's name and time zone, and rejects invalid values without using up the link", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { audit, setup } = yield* peopleOf(url)
      const token = (yield* setup.createToken)!
      const invalid = yield* Effect.flip(
        setup.complete(token, { ...ADA, email: "ada", password: Redacted.make("1234567890"), timezone: "UTC" })
      )
      expect(invalid.issues?.map(({ field }) => field)).toEqual(["email", "password"])
      const names = yield* Effect.flip(setup.complete(token, { ...ADA, instanceName: " ", timezone: "Nowhere" }))
      expect(names.issues?.map(({ field }) => field)).toEqual(["instanceName", "timezone"])
      for (const wrong of ["", "wrong", "x".repeat(1_000), "\u0000"]) {
        expect((yield* Effect.flip(setup.complete(wrong, ADA))).reason).toBe("Denied")
      }
      yield* setup.complete(token, { ...ADA, instanceName: "Acme", timezone: "Europe/Berlin" })
      const sql = yield* openClient(url)
      expect(yield* sql.unsafe("SELECT name, value FROM product_analytics_setting ORDER BY name")).toEqual([
        { name: "instance-name", value: "Acme" },
        { name: "instance-timezone", value: "Europe/Berlin" }
      ])
      expect((yield* audit.list({ limit: 1 }))[0]).toMatchObject({ actorName: "Ada", action: "setup.complete" })
    })
  )
})

test("an administrator from the command line closes setup, another user does not, and tokens are bounded", async () => {
  const url = await freshDatabase()
  await runLocally(
    Effect.gen(function* () {
      const { setup, users } = yield* peopleOf(url)
      const first = (yield* setup.createToken)!
      yield* users.create({ email: "bob@example.com", name: "Bob", password: OTHER_PASSWORD })
      expect([yield* setup.isOpen, yield* setup.isValid(first)]).toEqual([true, true])
      for (let i = 0; i < 20; i++) yield* setup.createToken
      expect(yield* setup.isValid(first)).toBe(false)
      const sql = yield* openClient(url)
      expect(yield* sql.unsafe("SELECT count(*)::int AS n FROM product_analytics_setup_link")).toEqual([{ n: 20 }])
      yield* users.create({ ...ADA, groups: [ADMINISTRATORS] })
      expect([yield* setup.isOpen, yield* setup.createToken]).toEqual([false, null])
    })
  )
})
