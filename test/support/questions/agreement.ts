import { Effect } from "effect"
import type { QueryEngine } from "../../../src/ports/QueryEngine.ts"
import { type Answer, askQuestion } from "../../../src/query/answer.ts"
import type { QuestionContext } from "../../../src/query/plan/context.ts"
import { questionContext } from "./context.ts"
import { RANDOM_SITES } from "./randomEvents.ts"
import { questionSite } from "./site.ts"

type Engine = QueryEngine["Service"]

/** What random questions mean. */
export const RANDOM_CONTEXT: QuestionContext = questionContext({
  now: Temporal.Instant.from("2026-11-10T12:00:00Z"),
  sites: RANDOM_SITES.map((id, index) =>
    questionSite({
      id,
      name: `Site ${index}`,
      timezone: index === 0 ? "Europe/Berlin" : "America/New_York"
    })
  )
})

/** Registers the sites of random questions in the app database. */
export const INSERT_RANDOM_SITES = `INSERT INTO product_analytics_site (id, name, timezone, week_start, currency, created_at, updated_at) VALUES ${RANDOM_CONTEXT.sites
  .map(
    ({ createdAt, currency, id, name, timezone, updatedAt, weekStart }) =>
      `(${[id, name, timezone, weekStart, currency, createdAt, updatedAt].map((value) => `'${value}'`).join(", ")})`
  )
  .join(", ")}`

/** What came of a question. */
export type Outcome = { readonly answer: Answer } | { readonly refused: string } | { readonly failed: string }

export const askOf = (engine: Engine, question: object): Promise<Outcome> =>
  Effect.runPromise(
    askQuestion(engine, RANDOM_CONTEXT, question).pipe(
      Effect.match({
        onSuccess: (answer): Outcome => ({ answer }),
        onFailure: (error): Outcome =>
          error._tag === "FqlError"
            ? { refused: `${error.code} at ${error.pointer}: ${error.detail}` }
            : error.reason === "OutOfRange"
              ? { refused: error.reason }
              : { failed: `${error.reason}: ${error.message}` }
      })
    )
  )

type Rows = ReadonlyArray<ReadonlyArray<unknown>>

/** Each row with what it is compared with. Rows with equal keys may come in any order; sorted by what does not depend on how doubles are added up. */
export const rowsOf = ({ comparison, data }: Answer): Rows =>
  [
    ...data.rows.map((row, index) => (comparison === null ? row : [...row, ...(comparison.rows[index] ?? [null])])),
    ...(comparison?.unmatched ?? []).map((row) => ["unmatched", ...row])
  ]
    .map(
      (row) =>
        [
          JSON.stringify(row.map((cell) => (typeof cell === "number" ? Number(cell.toPrecision(9)) : cell))),
          row
        ] as const
    )
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row)

/** Sums of doubles depend on the order of the rows, which is each engine's own. */
const isSameCell = (one: unknown, other: unknown): boolean =>
  one === other ||
  (typeof one === "number" && typeof other === "number" && Math.abs(one - other) <= 1e-9 * Math.max(1, Math.abs(one)))

const isSameRow = (one: ReadonlyArray<unknown>, other: ReadonlyArray<unknown> = []): boolean =>
  one.length === other.length && one.every((cell, index) => isSameCell(cell, other[index]))

export const isSameTable = (one: Rows, other: Rows): boolean =>
  one.length === other.length && one.every((row, index) => isSameRow(row, other[index]))

/** A question that the other engine says that it cannot answer, while Postgres can. */
const isUnsupported = (outcome: Outcome): outcome is { readonly refused: string } =>
  "refused" in outcome && outcome.refused.startsWith("unsupported-on-backend")

export interface Agreement {
  /** Questions with different answers, or where one engine failed: at most five. */
  readonly different: ReadonlyArray<unknown>
  /** Why both refused some. */
  readonly refused: ReadonlyArray<string>
  /** Why only the other engine refused some. */
  readonly unsupported: ReadonlyArray<string>
  /** How many had rows. */
  readonly withRows: number
}

/** How many questions are asked at a time. */
const AT_ONCE = 3

/** Asks Postgres and another engine of the same data the same questions. */
export const agreement = async (
  postgres: Engine,
  other: Engine,
  questions: ReadonlyArray<object>
): Promise<Agreement> => {
  const different: Array<unknown> = []
  const refused: Array<string> = []
  const unsupported: Array<string> = []
  let withRows = 0
  const compare = async (question: object) => {
    if (different.length >= 5) return
    const [one, two] = await Promise.all([askOf(postgres, question), askOf(other, question)])
    if ("answer" in one && "answer" in two) {
      const [left, right] = [rowsOf(one.answer), rowsOf(two.answer)]
      if (left.length > 0) withRows++
      const isSame =
        isSameTable(left, right) &&
        JSON.stringify(one.answer.partial_buckets) === JSON.stringify(two.answer.partial_buckets) &&
        one.answer.comparison?.from === two.answer.comparison?.from &&
        one.answer.comparison?.truncated === two.answer.comparison?.truncated &&
        JSON.stringify(one.answer.warnings) === JSON.stringify(two.answer.warnings) &&
        one.answer.truncated === two.answer.truncated
      if (!isSame) {
        different.push({
          question: JSON.stringify(question),
          postgres: left.filter((row) => !right.some((other) => isSameRow(row, other))).slice(0, 5),
          other: right.filter((row) => !left.some((other) => isSameRow(row, other))).slice(0, 5),
          rows: [left.length, right.length]
        })
      }
    } else if ("refused" in one && "refused" in two && (one.refused === two.refused || isUnsupported(two))) {
      refused.push(one.refused)
    } else if ("answer" in one && isUnsupported(two)) {
      unsupported.push(two.refused)
    } else {
      const shown = (outcome: Outcome) => ("answer" in outcome ? "answered" : outcome)
      different.push({ question: JSON.stringify(question), postgres: shown(one), other: shown(two) })
    }
  }
  await Effect.runPromise(
    Effect.forEach(questions, (question) => Effect.promise(() => compare(question)), {
      concurrency: AT_ONCE,
      discard: true
    })
  )
  return { different, refused, unsupported, withRows }
}

/** The questions on which an engine fails, at most five, and how often one was refused. Any other answer is as good. */
export const failures = async (
  engines: ReadonlyArray<Engine>,
  questions: Iterable<object>
): Promise<{ readonly failed: ReadonlyArray<unknown>; readonly refused: number }> => {
  const failed: Array<unknown> = []
  let refused = 0
  for (const question of questions) {
    if (failed.length >= 5) break
    for (const engine of engines) {
      const outcome = await askOf(engine, question).catch((defect: unknown) => ({ failed: String(defect) }))
      if ("failed" in outcome) failed.push({ engine: engine.model, question: JSON.stringify(question), outcome })
      if ("refused" in outcome) refused++
    }
  }
  return { failed, refused }
}
