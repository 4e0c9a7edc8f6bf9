import { Effect } from "effect"
import type { DashboardParameter } from "../../domain/content/Parameter.ts"
import type { Principal } from "../../domain/Principal.ts"
import type { TableRecord } from "../metadata/Catalog.ts"
import type { AskError, Questions } from "../run/Questions.ts"
import { totals, type XrayCard } from "./cards.ts"
import { byDifference, type Difference, differencesIn, liftOf } from "./comparison.ts"
import { type Layout, layOut, MAX_CARDS, mappingsOf, parametersFor, ranked, SHOWN_CARDS } from "./dashboard.ts"
import { type Answered, type Asking, DROP_REASONS, type Dropped, type DropReason, probe } from "./probe.ts"
import type { Related } from "./related.ts"
import type { Subject } from "./Subject.ts"

/** What an x-ray is to show. */
export interface Plan {
  readonly name: string
  readonly description: string
  readonly subject: Subject
  readonly cards: ReadonlyArray<XrayCard>
  readonly related: Related
  /** Whether the cards compare the rows with the rest, so that they are ordered by how much these differ. */
  readonly isComparison: boolean
}

/** For whom an x-ray is made, and what is chosen on it. */
export interface XrayRequest {
  readonly questions: Questions["Service"]
  readonly principal: Principal
  readonly tables: ReadonlyArray<TableRecord>
  /** Null: the caller sees no site. */
  readonly site: string | null
  readonly date: string
  readonly showsAll: boolean
  readonly limits: Asking["limits"]
}

/** Something that the reader should know, in a sentence. */
export interface Note {
  readonly code: DropReason | "no-site" | "no-data" | "no-data-in-range" | "few-rows"
  readonly detail: string
  /** The titles of the cards that it is about. */
  readonly cards: ReadonlyArray<string>
}

/** A dashboard that is not saved. */
export interface Xray extends Layout {
  readonly name: string
  readonly description: string
  readonly parameters: ReadonlyArray<DashboardParameter>
  readonly notes: ReadonlyArray<Note>
  /** Of a comparison: the values whose shares differ most. */
  readonly differences: ReadonlyArray<Difference>
  readonly hasMore: boolean
  readonly related: Related
}

/** Differences in one answer. */
const SHOWN_DIFFERENCES = 20

const note = (code: Note["code"], detail: string, cards: ReadonlyArray<string> = []): Note => ({ code, detail, cards })

const notesOf = (dropped: ReadonlyArray<Dropped>): ReadonlyArray<Note> =>
  (Object.keys(DROP_REASONS) as ReadonlyArray<DropReason>).flatMap((reason) => {
    const cards = dropped.filter((one) => one.reason === reason).map(({ card }) => card.title)
    return cards.length === 0 ? [] : [note(reason, `${DROP_REASONS[reason]} ${cards.join(", ")}.`, cards)]
  })

/** The comparisons whose values differ most come first; the other cards stay where they are. */
const byLift = (answered: ReadonlyArray<Answered>) => {
  const found = answered.map((one) => ({
    ...one,
    differences: one.card.group === "comparison" ? differencesIn(titleOf(one), one.answer) : []
  }))
  const isCompared = ({ card }: Answered): boolean => card.group === "comparison"
  const compared = found.filter(isCompared).toSorted((a, b) => liftOf(b.differences) - liftOf(a.differences))
  return [...found.filter((one) => !isCompared(one)), ...compared]
}

const titleOf = ({ answer }: Answered): string => answer.data.cols[1]!.display_name

/** Why there are no cards: no rows at all, none that meet the condition, or none in the chosen time. */
const emptyNote = Effect.fnUntraced(function* (
  asking: Asking,
  { noun, ...subject }: Subject,
  date: string
): Effect.fn.Return<Note, AskError> {
  const rows = { ...subject, noun, metrics: [{ clause: ["count"], title: noun }] as const }
  const { dropped } = yield* probe(
    asking,
    totals(rows, ({ title }) => title),
    1
  )
  return dropped.some(({ reason }) => reason === "empty")
    ? note(
        "no-data",
        subject.filter === null
          ? `There are no ${noun} on this site yet. An x-ray shows something as soon as there are.`
          : "Nothing on this site meets the condition of this x-ray. Check its value."
      )
    : note(
        "no-data-in-range",
        `There are ${noun}, but none in this period (\`${date}\`), or they are all alike. Choose another period, such as \`today\` or \`all\`.`
      )
})

/** Makes an x-ray: asks its cards, leaves out those that have nothing to show or take too long, and arranges the others. */
export const makeXray = Effect.fnUntraced(function* (
  request: XrayRequest,
  plan: Plan
): Effect.fn.Return<Xray, AskError> {
  const { date, limits, principal, questions, showsAll, site, tables } = request
  const { cards, description, name, related, subject } = plan
  const chosen = parametersFor(subject.dimensions, { site, date, hasTime: subject.view.time !== null })
  const empty = { name, description, parameters: chosen.parameters, related, differences: [], hasMore: false }
  if (site === null) {
    return { ...empty, ...NOTHING, notes: [note("no-site", "There is no site yet, or none that you may see.")] }
  }
  const mappingsFor = (card: XrayCard) => mappingsOf(card, chosen, tables)
  const candidates = ranked(cards)
  const most = showsAll ? MAX_CARDS : SHOWN_CARDS
  const asking: Asking = { questions, principal, limits, parameters: chosen.parameters, mappingsFor }
  const { dropped, kept } = yield* probe(asking, candidates, plan.isComparison ? MAX_CARDS : most)
  const isSomething = kept.some(({ card }) => card.isDated && !card.isAside)
  if (!isSomething) {
    const failures = dropped.filter(({ reason }) => reason !== "empty" && reason !== "one-value")
    const notes = failures.length > 0 ? notesOf(failures) : [yield* emptyNote(asking, subject, date)]
    return { ...empty, ...NOTHING, notes }
  }
  const ordered = plan.isComparison ? byLift(kept) : kept.map((one) => ({ ...one, differences: [] }))
  const shown = ordered.slice(0, most)
  const differences = ordered.flatMap((one) => one.differences)
  const isFew = plan.isComparison && differences.length === 0
  return {
    ...empty,
    ...layOut(
      shown.map(({ card }) => card),
      mappingsFor
    ),
    notes: [...notesOf(dropped), ...(isFew ? [FEW_ROWS] : [])],
    differences: mostDifferent(differences),
    hasMore: shown.length < ordered.length || kept.length + dropped.length < candidates.length
  }
})

const NOTHING: Layout = { dashcards: [], cards: new Map() }

const FEW_ROWS = note(
  "few-rows",
  "Too few rows to say what differs: a value counts with 30 rows or more, and so does each side."
)

const mostDifferent = (differences: ReadonlyArray<Difference>): ReadonlyArray<Difference> =>
  differences.toSorted(byDifference).slice(0, SHOWN_DIFFERENCES)
