import { Clock, Context, Effect } from "effect"
import type { ParameterMapping } from "../../domain/content/Dashboard.ts"
import type { DashboardParameter } from "../../domain/content/Parameter.ts"
import type { Principal } from "../../domain/Principal.ts"
import type { Answer, Cell } from "../answer.ts"
import { applyParameters } from "../passes/applyParameters.ts"
import type { AskError, Questions } from "../run/Questions.ts"
import type { XrayCard } from "./cards.ts"

/** How long an x-ray may take, in ms. A reference, since tests of other things run on busy machines. */
export const XrayLimits = Context.Reference("footfall/query/XrayLimits", {
  defaultValue: () => ({
    /** A card that takes longer is left out. */
    card: 3_000,
    /** All cards together. */
    total: 10_000
  })
})
/** Questions of an x-ray at the same time: one less than a person may ask, so that there is room for another page. */
const AT_ONCE = 3

/** Why cards were left out. */
export const DROP_REASONS = {
  empty: "There is nothing to show for this period:",
  "one-value": "All rows have the same value:",
  slow: "These took too long; choose a shorter period:",
  "out-of-time": "There was no time left for these; choose a shorter period:",
  failed: "These could not be answered; the server's log has the reason:"
} as const
export type DropReason = keyof typeof DROP_REASONS

/** A card with its answer for the dashboard's defaults. */
export interface Answered {
  readonly card: XrayCard
  readonly answer: Answer
}

export interface Dropped {
  readonly card: XrayCard
  readonly reason: DropReason
}

export interface Probed {
  readonly kept: ReadonlyArray<Answered>
  readonly dropped: ReadonlyArray<Dropped>
}

/** How the cards are asked: by whom, and with which defaults. */
export interface Asking {
  readonly questions: Questions["Service"]
  readonly principal: Principal
  readonly limits: { readonly card: number; readonly total: number }
  readonly parameters: ReadonlyArray<DashboardParameter>
  readonly mappingsFor: (card: XrayCard) => ReadonlyArray<ParameterMapping>
}

/** Why an answer is not worth showing; null if it is. */
export const emptiness = (
  { needsGroups, showsZero }: Pick<XrayCard, "needsGroups" | "showsZero">,
  { data }: Answer
): DropReason | null => {
  const breakouts = data.cols.filter(({ source }) => source === "breakout").length
  const isNothing = (cell: Cell): boolean => cell === null || (!showsZero && Number(cell) === 0)
  if (data.rows.every((row) => row.slice(breakouts).every(isNothing))) return "empty"
  if (!needsGroups) return null
  return new Set(data.rows.map((row) => row[breakouts - 1])).size < 2 ? "one-value" : null
}

/** The card's question with the defaults of the parameters that apply to it. */
const question = ({ mappingsFor, parameters }: Asking, card: XrayCard) =>
  Effect.fromResult(
    applyParameters(
      card.query,
      mappingsFor(card).flatMap(({ parameter_id: id, target }) => {
        const parameter = parameters.find((one) => one.id === id)
        if (parameter === undefined) return []
        const { default: value = null, name, type } = parameter
        return [{ name, type, target, value, pointer: "" }]
      })
    )
  )

/** Whether a card's failure says something about the card only. Otherwise no card can be answered. */
const isOfCard = (error: AskError): boolean =>
  error._tag === "FqlError" || (error._tag === "QueryError" && error.reason !== "Unavailable")

const ask = (asking: Asking, card: XrayCard, deadline: number): Effect.Effect<Answered | Dropped, AskError> =>
  Effect.gen(function* () {
    const remaining = deadline - (yield* Clock.currentTimeMillis)
    if (remaining <= 0) return { card, reason: "out-of-time" } as const
    const { limits, principal, questions } = asking
    const answered: Effect.Effect<Answered | Dropped, AskError> = Effect.map(
      Effect.flatMap(question(asking, card), (json) => questions.ask(principal, json)),
      ({ answer }) => {
        const reason = emptiness(card, answer)
        return reason === null ? { card, answer } : { card, reason }
      }
    )
    return yield* answered.pipe(
      Effect.timeoutOrElse({
        duration: Math.min(limits.card, remaining),
        orElse: () => Effect.succeed<Dropped>({ card, reason: remaining < limits.card ? "out-of-time" : "slow" })
      }),
      Effect.catchIf(isOfCard, (error) => {
        const isSlow = error._tag === "QueryError" && error.reason === "Timeout"
        return Effect.as(
          Effect.logWarning("A card of an x-ray could not be answered.", { card: card.title, why: String(error) }),
          { card, reason: isSlow ? "slow" : "failed" } satisfies Dropped
        )
      })
    )
  })

/**
 * Asks the cards, the best ones first, until enough of them have something to show. Fails only if no card could be answered: the engine or
 * the app database is down, or the caller's queue is full.
 */
export const probe = Effect.fnUntraced(function* (
  asking: Asking,
  cards: ReadonlyArray<XrayCard>,
  enough: number
): Effect.fn.Return<Probed, AskError> {
  const deadline = (yield* Clock.currentTimeMillis) + asking.limits.total
  const kept: Array<Answered> = []
  const dropped: Array<Dropped> = []
  for (let at = 0; at < cards.length && kept.length < enough; ) {
    const batch = cards.slice(at, at + enough - kept.length)
    at += batch.length
    const outcomes = yield* Effect.forEach(batch, (card) => ask(asking, card, deadline), { concurrency: AT_ONCE })
    for (const outcome of outcomes) {
      if ("answer" in outcome) kept.push(outcome)
      else dropped.push(outcome)
    }
  }
  return { kept, dropped }
})
