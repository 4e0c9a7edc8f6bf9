import { expect, test } from "bun:test"
import { Result } from "effect"
import { compileQuestion } from "../../src/query/compile.ts"
import { questionContext } from "../support/questions/context.ts"
import { RANDOM_SITES } from "../support/questions/randomEvents.ts"
import { randomQuestions } from "../support/questions/randomQuestions.ts"
import { questionSite } from "../support/questions/site.ts"
import { randomFrom } from "../support/replica/traffic.ts"

const QUESTIONS = 150
/** Occurs in nothing that Footfall writes. */
const MARK = "zqx"
const HOSTILE = [
  `${MARK}'; DROP TABLE product_analytics_event; --`,
  `${MARK}" OR "1"="1`,
  `${MARK}\\'); SELECT 1 /*`,
  `$1${MARK}`,
  `url_path ${MARK}`
]
const ENGINES = [
  { dialect: "postgres", model: "postgres" },
  { dialect: "duckdb", model: "replica" },
  { dialect: "duckdb", model: "lake" },
  { dialect: "trino", model: "lake" }
] as const

const context = questionContext({
  sites: RANDOM_SITES.map((id, index) => questionSite({ id, name: `Site ${index}` }))
})

type Place = readonly [container: Record<string, unknown>, key: string, isName: boolean]

/** Every string of a question, and every name that it gives. */
const placesOf = (value: unknown): ReadonlyArray<Place> => {
  if (typeof value !== "object" || value === null) return []
  const container = value as Record<string, unknown>
  return Object.keys(container).flatMap(
    (key): ReadonlyArray<Place> => [
      ...(typeof container[key] === "string" ? [[container, key, false] as const] : []),
      ...(Array.isArray(container) ? [] : [[container, key, true] as const]),
      ...placesOf(container[key])
    ]
  )
}

/** The question with one of its strings or names replaced. */
const replaced = (question: object, index: number, by: string): object => {
  const copy = structuredClone(question)
  const [container, key, isName] = placesOf(copy)[index]!
  const value = container[key]
  if (isName) delete container[key]
  container[isName ? by : key] = isName ? value : by
  return copy
}

test("nothing that a question says gets into a statement's text, wherever it stands, only into its parameters", () => {
  const questions = randomQuestions(randomFrom(77))
  let compiled = 0
  let bound = 0
  for (let turn = 0; turn < QUESTIONS; turn++) {
    const question = questions.next()
    const places = placesOf(question).length
    for (let index = 0; index < places; index++) {
      const hostile = replaced(question, index, HOSTILE[(turn + index) % HOSTILE.length]!)
      for (const engine of ENGINES) {
        const result = compileQuestion(context, hostile, engine)
        if (Result.isFailure(result)) continue
        compiled++
        const { parameters, sql } = result.success.query
        expect(sql).not.toContain(MARK)
        if (parameters.some(({ value }) => String(value).includes(MARK))) bound++
      }
    }
  }
  expect(compiled).toBeGreaterThan(QUESTIONS * 2)
  expect(bound).toBeGreaterThan(QUESTIONS)
})
