import { Effect, Result, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { Bodies } from "../../../domain/content/bodies.ts"
import type { SharedKind } from "../../../domain/content/ContentLink.ts"
import type { Item } from "../../../domain/content/Item.ts"
import type { CardParameter, DashboardParameter } from "../../../domain/content/Parameter.ts"
import { Content } from "../../../ports/Content.ts"
import { ContentLinks } from "../../../ports/ContentLinks.ts"
import { LinkLimits } from "../../../ports/LinkLimits.ts"
import { Settings } from "../../../ports/Settings.ts"
import { Sites } from "../../../ports/Sites.ts"
import type { FormatName } from "../../../query/export/Format.ts"
import { FqlError } from "../../../query/fql/FqlError.ts"
import type { Query } from "../../../query/fql/schema.ts"
import { type AskError, Questions } from "../../../query/run/Questions.ts"
import { ENABLE_EMBEDDING, ENABLE_PUBLIC_SHARING } from "../../../settings/settings.ts"
import { AdminApi } from "../AdminApi.ts"
import { itemIdOf } from "../content/items.ts"
import { readProblem } from "../content/problem.ts"
import { GivenParameters } from "../content/runJson.ts"
import { cardQuestion, dashcardQuestion, valuesOf } from "../content/savedQuestion.ts"
import { cardsOf } from "../dashboards/checkDashboard.ts"
import { parameterChoices } from "../dashboards/parameterChoice.ts"
import { makeExportResponse } from "../dataset/exportResponse.ts"
import { BadRequest, Forbidden, NotFound, TooManyRequests } from "../problems.ts"
import { withHeader } from "../server/browserRequest.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { NOT_SHOWN, sharedAnswerJson, sharedCardJson, sharedDashboardJson } from "./json.ts"
import { filtersNothing, isShown, type Lock, locksOf } from "./locks.ts"
import { type OpenedLink, openEmbed, openPublic } from "./openLink.ts"
import { visibleProblem, withSharedProblems, withValueProblems } from "./problem.ts"

type Parameters = ReadonlyArray<CardParameter | DashboardParameter>

/** What visitors may choose, and what is chosen for them. */
interface Chosen {
  readonly visible: Parameters
  readonly fixed: GivenParameters
  readonly locks: ReadonlyArray<Lock>
}

/** Names of saved filters are nothing for visitors. */
const NEVER_VISIBLE: ReadonlyArray<string> = ["site", "segment", "cohort"]

const quoted = (slug: string) => `\`${slug.slice(0, 100)}\``

/** Fails if something is locked that the item no longer has or that has become something else, or if its value locks nothing. */
const chosenOf = (
  body: Bodies[SharedKind],
  { link, locked, site }: OpenedLink
): Effect.Effect<Chosen, BadRequest | NotFound> => {
  const slugs = Object.keys(locked)
  const parameters: Parameters = body.parameters
  const missing = slugs.find((slug) => !parameters.some((parameter) => parameter.slug === slug))
  if (missing !== undefined) {
    return Effect.fail(
      new NotFound({
        detail: Object.hasOwn(link.locked, missing)
          ? `The parameter ${quoted(missing)}, which is locked here, no longer exists. Ask for a new link.`
          : `There is no parameter ${quoted(missing)} here, which the token's \`params\` give.`
      })
    )
  }
  const found = locksOf(body, slugs, link)
  if (Result.isFailure(found)) {
    return Effect.fail(
      new NotFound({
        detail: `The parameter ${quoted(found.failure)}, which is locked here, was changed. Ask for a new link.`
      })
    )
  }
  const empty = found.success.find(({ parameter: { slug, type } }) => filtersNothing(locked[slug]!, type))
  if (empty !== undefined) {
    return Effect.fail(
      new BadRequest({
        detail: `The value of the parameter ${quoted(empty.parameter.slug)}, which is locked here, filters nothing. Give it one that does.`
      })
    )
  }
  const visible = parameters.filter(
    ({ slug, type }) => !(NEVER_VISIBLE.includes(type) || slugs.includes(slug) || link.hidden.includes(slug))
  )
  // Who can't choose the time must not see other times by comparing with them.
  const isTimeChosen = visible.some(({ type }) => type.startsWith("date/"))
  return Effect.succeed({
    locks: found.success,
    visible: visible.filter(({ type }) => type !== "compare" || isTimeChosen),
    fixed: parameters.flatMap(({ id, slug, type }) => {
      if (type === "site") return [{ id, value: site }]
      return slugs.includes(slug) ? [{ id, value: locked[slug]! }] : []
    })
  })
}

const decodeGiven = Schema.decodeUnknownResult(Schema.fromJsonString(GivenParameters), { onExcessProperty: "error" })

/** The values that a visitor gives. Fails on a parameter that the visitor may not choose. */
const givenOf = (text: string | undefined, { visible }: Chosen): Effect.Effect<GivenParameters, BadRequest> => {
  if (text === undefined) return Effect.succeed([])
  const given = decodeGiven(text)
  if (Result.isFailure(given)) {
    return Effect.fail(
      new BadRequest({ detail: 'Give `parameters` as JSON such as `[{"id": "date", "value": "past7days"}]`.' })
    )
  }
  const unknown = given.success.findIndex(({ id }) => !visible.some((one) => one.id === id || one.slug === id))
  return unknown < 0
    ? Effect.succeed(given.success)
    : Effect.fail(
        new BadRequest({
          detail: `There is no parameter ${JSON.stringify(given.success[unknown]!.id.slice(0, 100))} to choose here.`,
          pointer: `/parameters/${unknown}/id`
        })
      )
}

interface Keyed {
  readonly params: { readonly key: string }
}
interface Given {
  readonly query: { readonly parameters?: string }
}
interface Formatted {
  readonly params: { readonly format: FormatName }
}
interface OnDashboard {
  readonly params: { readonly dashcard: string; readonly card: string }
}

const makeHandlers = Effect.fnUntraced(function* (group: "public" | "embed") {
  const content = yield* Content
  const links = yield* ContentLinks
  const limits = yield* LinkLimits
  const exportResponse = yield* makeExportResponse
  const questions = yield* Questions
  const settings = yield* Settings
  const sites = yield* Sites

  const openLink = (kind: SharedKind, key: string) =>
    group === "public" ? openPublic(links, kind, key) : openEmbed(links, kind, key)

  /** The shared item, if the link may be used now. */
  const open = Effect.fnUntraced(function* <Kind extends SharedKind>(kind: Kind, key: string) {
    yield* withHeader("x-robots-tag", "noindex, nofollow")
    if (!settings.get(group === "public" ? ENABLE_PUBLIC_SHARING : ENABLE_EMBEDDING)) {
      return yield* new NotFound({ detail: "Sharing is off on this instance." })
    }
    const opened = yield* openLink(kind, key)
    const { link } = opened
    const wait = yield* limits.take(link.id)
    if (wait > 0) {
      yield* withHeader("retry-after", String(wait))
      return yield* new TooManyRequests({ detail: `This is shown too often now. Try again in ${wait} s.` })
    }
    if (link.kind === "embed") yield* withHeader("content-security-policy", framedBy(link.frameAncestors))
    const item: Item<Bodies[Kind]> = yield* Effect.mapError(content.get(kind, link.item.id), readProblem)
    const chosen = yield* chosenOf(item.body, opened)
    return { item, chosen, ...opened, shown: { ...chosen, exports: link.exports } }
  })

  const askedWith = Effect.fnUntraced(function* (
    { chosen, principal }: { readonly chosen: Chosen; readonly principal: OpenedLink["principal"] },
    text: string | undefined
  ) {
    const given = yield* givenOf(text, chosen)
    return { principal, sites, given: [...given, ...chosen.fixed] }
  })

  const cardNow = Effect.fnUntraced(function* (key: string, text: string | undefined) {
    const opened = yield* open("card", key)
    const asked = yield* askedWith(opened, text)
    const question = yield* withValueProblems(cardQuestion(opened.item.body, asked))
    return { ...opened, question, name: opened.item.name }
  })

  const dashcardNow = Effect.fnUntraced(function* (
    { card, dashcard: id, key }: (Keyed & OnDashboard)["params"],
    text: string | undefined
  ) {
    const opened = yield* open("dashboard", key)
    const { dashcards, parameters } = opened.item.body
    const dashcard = dashcards.find((one) => one.id === id.toLowerCase() && one.card_id === card.toLowerCase())
    if (dashcard === undefined) return yield* new NotFound({ detail: "The dashboard has no such card." })
    if (!isShown(dashcard, opened.chosen.locks)) return yield* new NotFound({ detail: NOT_SHOWN })
    const { body, name } = yield* Effect.mapError(content.get("card", yield* itemIdOf("card", card)), readProblem)
    const asked = yield* askedWith(opened, text)
    const question = yield* withValueProblems(
      Effect.flatMap(valuesOf(parameters, asked), (values) => dashcardQuestion(body, { dashcard, parameters, values }))
    )
    return { ...opened, question, name }
  })

  const answer = Effect.fnUntraced(function* ({
    principal,
    question
  }: {
    readonly principal: OpenedLink["principal"]
    readonly question: Query
  }) {
    const given = yield* withExtendedTimeout(withSharedProblems(questions.ask(principal, question)))
    return sharedAnswerJson(given.answer)
  })

  const download = Effect.fnUntraced(function* (
    { link, name, principal, question }: OpenedLink & { readonly question: Query; readonly name: string },
    format: FormatName
  ) {
    if (!link.exports) return yield* new Forbidden({ detail: "Downloads are off for this link." })
    return yield* exportResponse({ principal, question, format, isFormatted: true, name }).pipe(
      Effect.mapError(visibleProblem)
    )
  })

  return {
    card: Effect.fnUntraced(function* ({ params }: Keyed) {
      const { item, shown } = yield* open("card", params.key)
      return sharedCardJson(item, shown)
    }),
    cardAnswer: ({ params, query }: Keyed & Given) => Effect.flatMap(cardNow(params.key, query.parameters), answer),
    cardExport: ({ params, query }: Keyed & Given & Formatted) =>
      Effect.flatMap(cardNow(params.key, query.parameters), (now) => download(now, params.format)),
    dashboard: Effect.fnUntraced(function* ({ params }: Keyed) {
      const { item, principal, shown } = yield* open("dashboard", params.key)
      return sharedDashboardJson(item, yield* cardsOf(content, principal, item.body), shown)
    }),
    dashcardAnswer: ({ params, query }: Keyed & OnDashboard & Given) =>
      Effect.flatMap(dashcardNow(params, query.parameters), answer),
    dashcardExport: ({ params, query }: Keyed & OnDashboard & Given & Formatted) =>
      Effect.flatMap(dashcardNow(params, query.parameters), (now) => download(now, params.format)),
    values: Effect.fnUntraced(function* ({
      params,
      query
    }: Keyed & { readonly params: { readonly param: string } } & Given & {
        readonly query: { readonly search?: string }
      }) {
      const opened = yield* open("dashboard", params.key)
      const { chosen, item, principal } = opened
      const parameter = chosen.visible.find(({ id, slug }) => id === params.param || slug === params.param)
      if (parameter === undefined) return yield* new NotFound({ detail: "There is no such parameter to choose here." })
      const cards = yield* cardsOf(content, principal, item.body)
      const asked = yield* askedWith(opened, query.parameters)
      const dashcards = item.body.dashcards.filter((dashcard) => isShown(dashcard, chosen.locks))
      return yield* withValueProblems(
        Effect.flatMap(valuesOf(item.body.parameters, asked), (values) =>
          parameterChoices((question) => Effect.mapError(questions.ask(principal, question), withoutPointer), {
            body: { ...item.body, dashcards },
            cards,
            parameter,
            text: query.search ?? null,
            values,
            isFixed: (other) => !chosen.visible.some(({ id }) => id === other.id)
          })
        )
      )
    })
  }
})

/** An error of an asked question, which does not say to visitors what it is about. */
const withoutPointer = (error: AskError): AskError =>
  error._tag === "FqlError" ? new FqlError(error.code, "", error.detail) : error

/** No page may embed what names no pages. */
const framedBy = (ancestors: ReadonlyArray<string>): string =>
  `default-src 'none'; frame-ancestors ${ancestors.length === 0 ? "'none'" : ancestors.join(" ")}`

export const PublicHandlers = HttpApiBuilder.group(
  AdminApi,
  "public",
  Effect.fn(function* (handlers) {
    return handlers.handleAll(yield* makeHandlers("public"))
  })
)

export const EmbedHandlers = HttpApiBuilder.group(
  AdminApi,
  "embed",
  Effect.fn(function* (handlers) {
    return handlers.handleAll(yield* makeHandlers("embed"))
  })
)
