import { Clock, Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { PRODUCT_ANALYTICS } from "../../../domain/people.ts"
import { Collections } from "../../../ports/Collections.ts"
import { Content } from "../../../ports/Content.ts"
import { Sites } from "../../../ports/Sites.ts"
import type { Clause } from "../../../query/fql/schema.ts"
import { Catalog } from "../../../query/metadata/Catalog.ts"
import { findTable } from "../../../query/metadata/fieldIds.ts"
import { Questions } from "../../../query/run/Questions.ts"
import { cellFilter } from "../../../query/xray/cellFilter.ts"
import { cellCards, compareCards, type Side } from "../../../query/xray/comparison.ts"
import { XrayLimits } from "../../../query/xray/probe.ts"
import { viewOfQuestion } from "../../../query/xray/question.ts"
import { both, questionAbout, type Subject } from "../../../query/xray/Subject.ts"
import { makeXray, type Plan } from "../../../query/xray/xray.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { checkQuestion } from "../content/checkQuestion.ts"
import { makeItems } from "../content/items.ts"
import { authorOf } from "../content/permission.ts"
import { writeProblem } from "../content/problem.ts"
import { cardsOf, checkMappings } from "../dashboards/checkDashboard.ts"
import { dashboardJson } from "../dashboards/json.ts"
import { metadataIdOf } from "../database/lookup.ts"
import { withQuestionProblems } from "../dataset/questionProblem.ts"
import { BadRequest, NotFound } from "../problems.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { conditionIn, questionIn } from "./inPath.ts"
import { xrayJson } from "./json.ts"
import { newItems } from "./newItems.ts"
import { type Asked, makeTargets, type Target } from "./targets.ts"

interface Given {
  readonly params: { readonly entity: Asked["entity"]; readonly id: string }
  readonly query: { readonly site?: string; readonly date?: string; readonly show?: "all" }
}

interface Comparison {
  readonly comparison: "table" | "segment" | "cohort" | "adhoc"
  readonly other: string
}

const invalid = (detail: string) => new BadRequest({ detail, code: "bad-ast", pointer: "" })

/** What is compared are rows, whatever numbers a question computes of them. */
const rowsOf = (subject: Subject): Subject => {
  const { metrics, view } = subject
  const noun = metrics[0].clause[0] === "count" ? subject.noun : view.label
  return { ...subject, noun, metrics: [{ clause: ["count"], title: noun }] }
}

export const XrayHandlers = HttpApiBuilder.group(
  AdminApi,
  "xray",
  Effect.fn(function* (handlers) {
    const content = yield* Content
    const questions = yield* Questions
    const items = makeItems(content, yield* Collections)
    const targetOf = makeTargets({
      catalog: yield* Catalog,
      items,
      limits: yield* XrayLimits,
      questions,
      sites: yield* Sites
    })

    const asked = Effect.fnUntraced(function* (
      { params, query: { date, show, site } }: Given,
      rule: Asked["rule"] = null
    ) {
      const principal = yield* CurrentPrincipal
      const { entity, id } = params
      return { principal, entity, id, site: site ?? null, date: date ?? null, showsAll: show === "all", rule }
    })

    const answer = Effect.fnUntraced(function* ({ plan, request }: Target) {
      const xray = yield* withExtendedTimeout(withQuestionProblems(makeXray(request, plan)))
      return xrayJson(xray, request.principal, new Date(yield* Clock.currentTimeMillis))
    })

    /** The condition of a clicked point, which must fit the rows. */
    const cellOf = Effect.fnUntraced(function* ({ plan: { subject }, request }: Target, given: string) {
      const cell = cellFilter(yield* conditionIn(given))
      const question = questionAbout(subject, { filter: cell, aggregation: [["count"]] })
      yield* withQuestionProblems(questions.check(request.principal, question))
      return cell
    })

    /** The other side of a comparison. */
    const sideOf = Effect.fnUntraced(function* (
      { plan: { subject }, request: { principal } }: Target,
      { comparison, other }: Comparison
    ) {
      switch (comparison) {
        case "table": {
          const view = findTable(yield* metadataIdOf("table", other))
          if (view === undefined) return yield* new NotFound({ detail: `There is no table with the id ${other}.` })
          if (view !== subject.view) return yield* invalid("Only rows of the same table can be compared.")
          return { title: `All ${view.label}`, filter: null }
        }
        case "segment":
        case "cohort": {
          const { id, name } = yield* items.get(principal, comparison, other)
          const filter: Clause = [comparison, id]
          const question = questionAbout(subject, { filter, aggregation: [["count"]] })
          yield* withQuestionProblems(questions.check(principal, question))
          return { title: name, filter }
        }
        case "adhoc": {
          const { query } = yield* questionIn(questions, principal, { name: "other", value: other })
          const isPlain = query.joins === undefined && query.expressions === undefined
          if (viewOfQuestion(query) !== subject.view || !isPlain) {
            return yield* invalid("The other question must be about the same table, without joins and custom columns.")
          }
          return { title: "The other question", filter: query.filter ?? null }
        }
      }
    })

    const comparisonPlan = Effect.fnUntraced(function* (plan: Plan, filter: Clause | null, right: Side) {
      if (filter === null && right.filter === null) {
        return yield* invalid(
          "Both sides are all rows of the table. Compare with a segment, a cohort or another question."
        )
      }
      const { subject } = plan
      const whole = rowsOf({ ...subject, filter: null })
      const title = filter === null ? `All ${whole.noun}` : filter === subject.filter ? plan.name : "Selected"
      const left = { filter, title: title === right.title ? `${title} (first)` : title }
      return {
        ...plan,
        name: `${left.title} compared with ${right.title}`,
        description: "Both sides on each card. They may have rows in common.",
        subject: whole,
        cards: compareCards(whole, left, right)
      } satisfies Plan
    })

    return handlers.handleAll({
      xray: Effect.fnUntraced(function* (given) {
        return yield* answer(yield* targetOf(yield* asked(given)))
      }),
      rule: Effect.fnUntraced(function* ({ params, query }) {
        const rule = { template: params.template, value: query.value ?? null }
        return yield* answer(yield* targetOf(yield* asked({ params, query }, rule)))
      }),
      cell: Effect.fnUntraced(function* (given) {
        const { plan, request } = yield* targetOf(yield* asked(given))
        const cell = yield* cellOf({ plan, request }, given.params.cell)
        const subject = rowsOf(plan.subject)
        return yield* answer({
          request,
          plan: {
            ...plan,
            name: `${plan.name}: a clicked point`,
            description: "The selected rows next to the rest.",
            cards: cellCards(subject, cell),
            subject,
            isComparison: true
          }
        })
      }),
      compare: Effect.fnUntraced(function* (given) {
        const target = yield* targetOf(yield* asked(given))
        const right = yield* sideOf(target, given.params)
        const { plan, request } = target
        return yield* answer({ request, plan: yield* comparisonPlan(plan, plan.subject.filter, right) })
      }),
      compareCell: Effect.fnUntraced(function* (given) {
        const target = yield* targetOf(yield* asked(given))
        const cell = yield* cellOf(target, given.params.cell)
        const right = yield* sideOf(target, given.params)
        const { plan, request } = target
        return yield* answer({ request, plan: yield* comparisonPlan(plan, both(plan.subject.filter, cell), right) })
      }),
      save: Effect.fnUntraced(function* ({ payload }) {
        const principal = yield* CurrentPrincipal
        const collection = payload.collection_id ?? PRODUCT_ANALYTICS.id
        yield* items.permitIn(principal, "dashboard", collection)
        yield* items.permitIn(principal, "card", collection)
        for (const [index, { card }] of payload.dashcards.entries()) {
          if (card === null) continue
          const pointer = `/dashcards/${index}/card/dataset_query`
          yield* checkQuestion(questions, principal, { json: card.dataset_query, pointer })
        }
        const { cards, dashboard } = yield* newItems(payload, collection)
        yield* checkMappings(questions, principal, dashboard.body, (id) => cards.get(id)?.body)
        const saved = yield* Effect.mapError(
          content.create([...cards.values(), dashboard], authorOf(principal)),
          writeProblem(principal)
        )
        return dashboardJson(saved, yield* cardsOf(content, principal, saved.body), principal)
      })
    })
  })
)
