import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { QueryEngine } from "../../src/ports/QueryEngine.ts"
import type { Answer } from "../../src/query/answer.ts"
import type { Query } from "../../src/query/fql/schema.ts"
import { visitsInsteadOfEvents } from "../../src/query/passes/visitsInsteadOfEvents.ts"
import { saveAll } from "../support/collect/records.ts"
import { IS_NIGHTLY } from "../support/nightly.ts"
import { openStorage } from "../support/postgres/pgStorage.ts"
import { pgWarehouse } from "../support/postgres/pgWarehouse.ts"
import { freshDatabase, openClient } from "../support/postgres/postgres.ts"
import {
  agreement,
  askOf,
  failures,
  INSERT_RANDOM_SITES,
  isSameTable,
  type Outcome,
  rowsOf
} from "../support/questions/agreement.ts"
import { damagedQuestions } from "../support/questions/damaged.ts"
import { randomEvents } from "../support/questions/randomEvents.ts"
import { randomQuestions } from "../support/questions/randomQuestions.ts"
import { startReplica, type TestReplica } from "../support/replica/replica.ts"
import { randomFrom } from "../support/replica/traffic.ts"

setDefaultTimeout(3_600_000)

const QUESTIONS = IS_NIGHTLY ? 10_000 : 500
/** Another seed asks other questions of other data. */
const SEED = Number(process.env["FOOTFALL_SEED"] ?? 1)

const scope = Scope.makeUnsafe()
let postgres: QueryEngine["Service"]
let replica: TestReplica

beforeAll(async () => {
  const url = await freshDatabase()
  const sql = (statement: string) =>
    Effect.runPromise(Effect.scoped(Effect.flatMap(openClient(url, 1), (client) => client.unsafe(statement))))
  await sql(INSERT_RANDOM_SITES)
  const made = randomEvents(randomFrom(SEED))
  const save = (count: number) =>
    Effect.gen(function* () {
      const storage = yield* openStorage(url)
      yield* saveAll(storage, Array.from({ length: count }, made.next))
      yield* Effect.forEach(Array.from({ length: count / 20 }, made.identify), (one) => storage.saveIdentity(one))
    }).pipe(Effect.scoped, Effect.runPromise)
  await save(1_500)
  replica = await startReplica(url)
  await replica.sync()
  // These arrive after the replica was built, and many of them in visits that it has.
  await save(1_000)
  await replica.sync()
  const built = await Effect.runPromise(Scope.provide(Layer.build(pgWarehouse(url)), scope))
  postgres = Context.get(built, QueryEngine)
  await sql("ANALYZE")
})

afterAll(async () => {
  await replica[Symbol.asyncDispose]()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

test(`${QUESTIONS} random questions have the same answers in Postgres and in the replica`, async () => {
  const questions = randomQuestions(randomFrom(SEED + 1_000))
  const { different, refused, unsupported, withRows } = await agreement(
    postgres,
    replica.engine,
    Array.from({ length: QUESTIONS }, questions.next)
  )
  expect(different).toEqual([])
  expect(unsupported).toEqual([])
  expect(refused.length).toBeLessThan(QUESTIONS / 20)
  expect(withRows).toBeGreaterThan(QUESTIONS / 2)
})

/** Postgres expects a single row of a join by so many expressions, and would join the others to it one by one. */
const OTHER_OF_MANY = {
  fql: 1,
  type: "query",
  source: "v_pa_events",
  expressions: { custom: ["/", ["field", "revenue"], -3] },
  filter: ["between", "created_at", "2026-01-01", "2026-12-31"],
  settings: { timezone: "Europe/Berlin", other: true },
  aggregation: [
    ["stddev", ["field", "event_type"]],
    ["distinct", "v_pa_visits.started_at"],
    ["var", ["field", "inp"]]
  ],
  breakout: [
    ["field", "fcp"],
    ["field", "created_at", { "temporal-unit": "year" }],
    ["expression", "custom"],
    "v_pa_visits.channel"
  ],
  having: [">", ["count"], 2],
  limit: 3
}

test("the groups beyond a limit by four fields are summed up before Postgres runs into its timeout", async () => {
  const { different, refused } = await agreement(postgres, replica.engine, [OTHER_OF_MANY])
  expect([different, refused]).toEqual([[], []])
})

const brief = (outcome: Outcome) =>
  "answer" in outcome ? JSON.stringify(outcome.answer.data.rows).slice(0, 300) : outcome

/** Rows of web vitals only, without a visit, make groups in which nothing is counted. */
const withVisits = (answer: Answer) =>
  rowsOf(answer).filter((row) =>
    row.some((cell, index) => answer.data.cols[index]!.source === "aggregation" && cell !== 0 && cell !== null)
  )

const OF_VISITS = QUESTIONS / 4

test(`${OF_VISITS} random questions that visits can answer have the same answers from the events`, async () => {
  const questions = randomQuestions(randomFrom(SEED + 4_000))
  const different: Array<unknown> = []
  let others = 0
  for (let turn = 0; turn < OF_VISITS && different.length < 5; turn++) {
    const { settings, ...rest } = questions.ofVisits() as unknown as Query
    // Groups without visits would be compared, too.
    const question = { ...rest, settings: { timezone: settings!.timezone! } }
    if (visitsInsteadOfEvents(question) === null) {
      others++
      continue
    }
    for (const engine of [postgres, replica.engine]) {
      const [visits, events] = [
        await askOf(engine, question),
        await askOf(engine, { ...question, expressions: { unused: 1 } })
      ]
      const isSame =
        "answer" in visits &&
        "answer" in events &&
        isSameTable(withVisits(visits.answer), withVisits(events.answer)) &&
        JSON.stringify(visits.answer.data.cols) === JSON.stringify(events.answer.data.cols)
      if (!isSame)
        different.push({
          engine: engine.model,
          question: JSON.stringify(question),
          visits: brief(visits),
          events: brief(events)
        })
    }
  }
  expect(different).toEqual([])
  expect(others).toBeLessThan(OF_VISITS / 2)
})

const DAMAGED = QUESTIONS * 5

test(`${DAMAGED} damaged questions are answered or refused with a reason, and never fail in an engine`, async () => {
  const questions = randomQuestions(randomFrom(SEED + 3_000))
  const { failed, refused } = await failures(
    [postgres, replica.engine],
    damagedQuestions(DAMAGED, randomFrom(SEED + 2_000), questions.next)
  )
  expect(failed).toEqual([])
  expect(refused).toBeGreaterThan(DAMAGED / 2)
})
