import { Effect } from "effect"
import type { Principal } from "../../../domain/Principal.ts"
import { isStorable } from "../../../lib/storable.ts"
import { ANY_EVENT, UNNAMED_EVENT } from "../../../ports/Properties.ts"
import type { Sites } from "../../../ports/Sites.ts"
import type { Clause } from "../../../query/fql/schema.ts"
import type { Catalog, TableRecord } from "../../../query/metadata/Catalog.ts"
import { findTable } from "../../../query/metadata/fieldIds.ts"
import type { FieldRecord } from "../../../query/metadata/fieldRecord.ts"
import type { View, ViewName } from "../../../query/metadata/views.ts"
import type { Questions } from "../../../query/run/Questions.ts"
import { clauseIn, dimensionOf, viewOfField, type XrayDimension } from "../../../query/xray/dimensions.ts"
import { fieldCards } from "../../../query/xray/fieldCards.ts"
import { frequentValueQuestion } from "../../../query/xray/frequentValue.ts"
import { DEFAULT_DATE, unitOfDate } from "../../../query/xray/period.ts"
import {
  periodOfQuestion,
  questionCards,
  siteOfQuestion,
  subjectOfQuestion,
  viewOfQuestion
} from "../../../query/xray/question.ts"
import { frequentValues, relatedToField, relatedToView } from "../../../query/xray/related.ts"
import { subjectOf, type Template, templateOf, templatesFor, type XrayContext } from "../../../query/xray/templates.ts"
import type { Plan, XrayRequest } from "../../../query/xray/xray.ts"
import type { makeItems } from "../content/items.ts"
import { permitAsking } from "../content/permission.ts"
import { firstSiteOf } from "../content/savedQuestion.ts"
import { catalogProblem, metadataIdOf } from "../database/lookup.ts"
import { withQuestionProblems } from "../dataset/questionProblem.ts"
import { BadRequest, NotFound } from "../problems.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { type CheckedQuestion, checkedQuestion, questionIn } from "./inPath.ts"

/** What a request is about. */
export interface Asked {
  readonly principal: Principal
  readonly entity: "table" | "field" | "card" | "adhoc"
  readonly id: string
  readonly site: string | null
  readonly date: string | null
  readonly showsAll: boolean
  /** Of a table: the template, and the value that it is about. */
  readonly rule: { readonly template: string; readonly value: string | null } | null
}

/** What an x-ray is to show, and for whom. */
export interface Target {
  readonly plan: Plan
  readonly request: XrayRequest
}

interface Services {
  readonly catalog: Catalog["Service"]
  readonly questions: Questions["Service"]
  readonly sites: Sites["Service"]
  readonly items: ReturnType<typeof makeItems>
  readonly limits: XrayRequest["limits"]
}

const badDate = (date: string) =>
  new BadRequest({
    detail: `\`date\` can't be ${JSON.stringify(date)}; write for example \`today\`, \`past30days\`, \`2026-03\` or \`2026-03-01~2026-03-31\`.`,
    code: "bad-ast",
    pointer: ""
  })

const noTemplate = (view: View, given: string) => {
  const names = [templateOf(view), ...templatesFor(view)].map(({ name }) => `\`${name}\``).join(", ")
  return new NotFound({
    detail: `There is no template ${JSON.stringify(given.slice(0, 100))} for this table; there are: ${names}.`
  })
}

const needsValue = ({ name }: Template) =>
  new BadRequest({
    detail: `Say in \`value\` what the template ${name} is about; the site has none yet.`,
    code: "bad-ast",
    pointer: ""
  })

const notStorable = () =>
  new BadRequest({
    detail: "`value` must contain neither NUL nor half of a surrogate pair.",
    code: "bad-ast",
    pointer: ""
  })

const isNested = () =>
  new BadRequest({
    detail: "An x-ray needs a question about a table; this one is built on another question.",
    code: "bad-ast",
    pointer: "/source"
  })

/** Finds out what an x-ray is to show. Everything is limited to what the principal may see. */
export const makeTargets = ({ catalog, items, limits, questions, sites }: Services) => {
  const firstSite = (principal: Principal) => withQuestionProblems(firstSiteOf(sites, principal))

  const tablesOf = (principal: Principal, site: string | null) =>
    Effect.mapError(catalog.tables(principal, { site, search: null, includesHidden: false }), catalogProblem)

  const requestOf = (
    asked: Asked,
    site: string | null,
    date: string,
    tables: ReadonlyArray<TableRecord>
  ): XrayRequest => ({
    questions,
    principal: asked.principal,
    tables,
    site,
    date,
    showsAll: asked.showsAll,
    limits
  })

  /** The dates and their unit, of what says nothing about time itself. */
  const periodOf = Effect.fnUntraced(function* ({ date }: Asked) {
    const chosen = date ?? DEFAULT_DATE
    const unit = unitOfDate(chosen)
    return unit === undefined ? yield* badDate(chosen) : { date: chosen, unit }
  })

  /** The most frequent value of a template's column in the data, if possible at the time that is looked at; null if there is none. */
  const frequentValue = Effect.fnUntraced(function* (
    principal: Principal,
    of: NonNullable<Template["of"]>,
    { date, site }: { readonly date: string; readonly site: string | null }
  ) {
    for (const when of [date, "all"]) {
      const question = frequentValueQuestion(of, { date: when, site })
      const { answer } = yield* withExtendedTimeout(withQuestionProblems(questions.ask(principal, question)))
      const value = answer.data.rows[0]?.[0]
      if (typeof value === "string") return value
    }
    return null
  })

  const table = Effect.fnUntraced(function* (asked: Asked) {
    const { principal, rule } = asked
    const view = findTable(yield* metadataIdOf("table", asked.id))
    if (view === undefined) {
      return yield* new NotFound({ detail: `There is no table with the id ${asked.id}.` })
    }
    const template = rule === null ? templateOf(view) : findTemplate(view, rule.template)
    if (template === undefined) return yield* noTemplate(view, rule!.template)
    if (!isStorable(rule?.value)) return yield* notStorable()
    const { date, unit } = yield* periodOf(asked)
    const site = asked.site ?? (yield* firstSite(principal))
    const tables = yield* tablesOf(principal, site)
    const known = rule?.value ?? frequentValues(tables, template.of)[0]
    const value =
      known ?? (template.of === null ? null : yield* frequentValue(principal, template.of, { date, site })) ?? ""
    if (template.of !== null && value === "") return yield* needsValue(template)
    const context: XrayContext = { tables, unit }
    const subject = template.subject(context, value, view.name)
    const own = tables.find((one) => one.view.name === view.name)!
    const plan: Plan = {
      name: template.title(own.displayName, value),
      description: template.description,
      subject,
      cards: template.cards(subject, value, context),
      related: relatedToView({ tables, site }, subject, template),
      isComparison: false
    }
    return { plan, request: requestOf(asked, site, date, tables) }
  })

  const field = Effect.fnUntraced(function* (asked: Asked) {
    const { principal } = asked
    const id = yield* metadataIdOf("field", asked.id)
    const given = yield* Effect.mapError(catalog.field(principal, id, asked.site), catalogProblem)
    const site = asked.site ?? given.property?.siteId ?? (yield* firstSite(principal))
    const found = yield* Effect.mapError(catalog.field(principal, id, site), catalogProblem)
    const { date, unit } = yield* periodOf(asked)
    const tables = yield* tablesOf(principal, site)
    const name = viewOfField(found, tables) as ViewName
    const subject = fieldSubject({ tables, unit }, name, found)
    const dimension = fieldDimension(subject.view, found)
    if (dimension === null) {
      return yield* new BadRequest({
        detail: `The field ${JSON.stringify(found.displayName)} holds ids, which have nothing in common to show.`,
        code: "bad-ast",
        pointer: ""
      })
    }
    const others = subject.dimensions.filter((one) => one.field.id !== found.id)
    const plan: Plan = {
      name: `A look at ${found.displayName}`,
      description: found.description ?? `Values of ${found.displayName}.`,
      subject,
      cards: fieldCards({ ...subject, dimensions: others }, dimension),
      related: relatedToField({ tables, site }, subject, found),
      isComparison: false
    }
    return { plan, request: requestOf(asked, site, date, tables) }
  })

  /** An x-ray of a question, which may be saved. */
  const question = Effect.fnUntraced(function* (
    asked: Asked,
    { query, titles }: CheckedQuestion,
    { description, name }: { readonly name: string; readonly description: string | null }
  ) {
    const { principal } = asked
    const view = viewOfQuestion(query)
    if (view === null) return yield* isNested()
    if (asked.date !== null) yield* periodOf(asked)
    const { date, unit } = periodOfQuestion(query, view, asked.date)
    const site = asked.site ?? siteOfQuestion(query, view) ?? (yield* firstSite(principal))
    const tables = yield* tablesOf(principal, site)
    const subject = subjectOfQuestion({ tables, unit }, query, titles)
    const plan: Plan = {
      name,
      description: description ?? `A closer look at the numbers of a question about ${view.label.toLowerCase()}.`,
      subject,
      cards: questionCards(subject, query),
      related: relatedToView({ tables, site }, subject, null),
      isComparison: false
    }
    return { plan, request: requestOf(asked, site, date, tables) }
  })

  const card = Effect.fnUntraced(function* (asked: Asked) {
    const { principal } = asked
    const { body, description, name } = yield* items.get(principal, "card", asked.id)
    yield* permitAsking(principal)
    const checked = yield* checkedQuestion(questions, principal, body.dataset_query)
    return yield* question(asked, checked, { name: `A closer look at ${name}`, description })
  })

  const adhoc = Effect.fnUntraced(function* (asked: Asked) {
    const checked = yield* questionIn(questions, asked.principal, { name: "id", value: asked.id })
    return yield* question(asked, checked, { name: "A closer look at your question", description: null })
  })

  const BY_ENTITY = { table, field, card, adhoc } as const
  return Effect.fnUntraced(function* (asked: Asked) {
    if (asked.rule !== null && asked.entity !== "table") {
      return yield* new NotFound({ detail: "Templates are for tables only." })
    }
    return yield* BY_ENTITY[asked.entity](asked)
  })
}

const findTemplate = (view: View, name: string): Template | undefined =>
  [templateOf(view), ...templatesFor(view)].find((template) => template.name === name)

/** The rows that have the field: of a property, the event's. */
const fieldSubject = (context: XrayContext, name: ViewName, { property }: FieldRecord) => {
  if (property === null || property.owner === "visitor" || property.event === ANY_EVENT) return subjectOf(context, name)
  const { event } = property
  const isEvent: Clause = event === UNNAMED_EVENT ? ["is-null", "event_name"] : ["=", "event_name", event]
  return subjectOf(context, name, {
    filter: isEvent,
    ...(event !== UNNAMED_EVENT && { noun: event }),
    hasProperty: (one) => one.source === "attribute" || one.property?.event === event
  })
}

/** A field as a dimension, also one that an x-ray of its table leaves out; null for ids. */
const fieldDimension = (view: View, field: FieldRecord): XrayDimension | null => {
  const clause = clauseIn(view, field, view.name)
  if (clause === null) return null
  const found = dimensionOf(field, clause)
  if (found !== null || field.type !== "text") return found
  return dimensionOf({ ...field, semanticType: "Name" }, clause)
}
