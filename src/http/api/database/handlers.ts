import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { ShownValue } from "../../../domain/FieldStats.ts"
import { isStorable } from "../../../lib/storable.ts"
import type { FieldChoices } from "../../../ports/Metadata.ts"
import { Properties } from "../../../ports/Properties.ts"
import { Catalog, type FieldChange, type ListedValue, type ListOptions } from "../../../query/metadata/Catalog.ts"
import { FieldScanner } from "../../../query/metadata/FieldScanner.ts"
import { DATABASE_ID, findColumn } from "../../../query/metadata/fieldIds.ts"
import { isSearched, searchQuestion, type ValueSearch } from "../../../query/metadata/searchQuestion.ts"
import { Questions } from "../../../query/run/Questions.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { withQuestionProblems } from "../dataset/questionProblem.ts"
import { NotFound, UnprocessableContent } from "../problems.ts"
import { DEFAULT_FOUND } from "./api.ts"
import { databaseJson, type FieldUpdateJson, fieldJson, tableJson } from "./json.ts"
import { catalogProblem, changeProblem, metadataIdOf } from "./lookup.ts"

const noDatabase = (given: string) =>
  new NotFound({
    detail: `There is no database with the id ${JSON.stringify(given.slice(0, 100))}; the only one is ${DATABASE_ID}.`
  })

const theDatabase = (given: string): Effect.Effect<typeof databaseJson, NotFound> =>
  given === String(DATABASE_ID) ? Effect.succeed(databaseJson) : Effect.fail(noDatabase(given))

const optionsOf = (query: {
  readonly site?: string
  readonly search?: string
  readonly include_hidden?: "true" | "false"
}): ListOptions => ({
  site: query.site ?? null,
  search: query.search ?? null,
  includesHidden: query.include_hidden === "true"
})

const choicesOf = (given: Omit<typeof FieldUpdateJson.Type, "declared_type">): FieldChoices => {
  const remapping = given.remapping === undefined ? given.remap : given.remapping
  return {
    ...(given.display_name !== undefined && { displayName: given.display_name.trim() }),
    ...(given.description !== undefined && { description: given.description }),
    ...(given.semantic_type !== undefined && {
      semanticType: given.semantic_type === null ? null : given.semantic_type.replace(/^type\//, "")
    }),
    ...(given.visibility_type !== undefined && { visibility: given.visibility_type }),
    ...(given.has_field_values !== undefined && { valueSource: given.has_field_values }),
    ...(remapping !== undefined && { labels: remapping === null ? null : remapping.values })
  }
}

const notStorable = () =>
  new UnprocessableContent({ detail: "Text must contain neither NUL nor half of a surrogate pair." })

/** Only properties have a type that can be declared. */
const changeOf = (id: number, { declared_type, ...given }: typeof FieldUpdateJson.Type) => {
  const change: FieldChange = {
    choices: choicesOf(given),
    ...(declared_type !== undefined && { declaredType: declared_type })
  }
  if (!isStorable(given)) return Effect.fail(notStorable())
  const detail = "A column's type is the view's. Only the type of a property or an attribute can be declared."
  return declared_type !== undefined && findColumn(id) !== undefined
    ? Effect.fail(new UnprocessableContent({ detail, errors: [{ pointer: "#/declared_type", detail }] }))
    : Effect.succeed(change)
}

type Searched = Effect.Success<ReturnType<Catalog["Service"]["searched"]>>

/** Values whose label contains the term; null if the field has no labels that are known without reading rows. */
const byLabel = (
  { field, labelOf, sites }: Searched,
  values: ReadonlyArray<ListedValue>,
  { limit, term }: Pick<ValueSearch, "limit" | "term">
): ReadonlyArray<ListedValue> | null => {
  const isOfSite =
    field.kind === "column" && (field.view.name === "v_pa_sites" || field.column.references === "v_pa_sites")
  if (isSearched(field) && !isOfSite) return null
  const known: ReadonlyArray<ListedValue> =
    isOfSite && field.kind === "column" && field.column.name !== "name"
      ? sites.map(({ id, name }) => [id, name] as const)
      : values.map(([value]) => withLabel(value, labelOf))
  const lower = term.toLowerCase()
  return known.filter((parts) => parts.some((part) => String(part).toLowerCase().includes(lower))).slice(0, limit)
}

const withLabel = (value: ShownValue, labelOf: Searched["labelOf"]): ListedValue => {
  const label = labelOf(value)
  return label === undefined ? [value] : [value, label]
}

export const DatabaseHandlers = HttpApiBuilder.group(
  AdminApi,
  "database",
  Effect.fn(function* (handlers) {
    const catalog = yield* Catalog
    const properties = yield* Properties
    const questions = yield* Questions
    const scanner = yield* FieldScanner

    const search = Effect.fnUntraced(function* (
      id: number,
      given: string | null,
      asked: Pick<ValueSearch, "limit" | "term">
    ) {
      const principal = yield* CurrentPrincipal
      const found = yield* Effect.mapError(catalog.searched(principal, id, given), catalogProblem)
      const { field, labelOf, site } = found
      const listed = isSearched(field)
        ? []
        : (yield* Effect.mapError(catalog.values(principal, id, given), catalogProblem)).values
      const labeled = byLabel(found, listed, asked)
      if (labeled !== null) return labeled
      const ask = (isRecent: boolean) =>
        Effect.map(
          withQuestionProblems(questions.ask(principal, searchQuestion({ field, site, ...asked }, isRecent))),
          ({ answer }) => answer.data.rows.flatMap(([value]) => (value === null ? [] : [withLabel(value!, labelOf)]))
        )
      // No stored value contains what Postgres does not store.
      if (!isStorable(asked.term)) return []
      const recent = yield* ask(true)
      return recent.length > 0 ? recent : yield* ask(false)
    })

    return handlers.handleAll({
      list: () => Effect.succeed({ data: [databaseJson], total: 1 }),
      get: ({ params }) => theDatabase(params.id),
      metadata: Effect.fnUntraced(function* ({ params, query }) {
        const database = yield* theDatabase(params.id)
        const tables = yield* Effect.mapError(catalog.tables(yield* CurrentPrincipal, optionsOf(query)), catalogProblem)
        return { ...database, tables: tables.map(tableJson) }
      }),
      sync: Effect.fnUntraced(function* ({ params }) {
        yield* theDatabase(params.id)
        yield* Effect.ignore(properties.refresh)
        yield* scanner.request
        return { status: "ok" as const }
      }),
      rescan: Effect.fnUntraced(function* ({ params }) {
        yield* theDatabase(params.id)
        yield* scanner.request
        return { status: "ok" as const }
      }),
      tables: Effect.fnUntraced(function* ({ query }) {
        const tables = yield* Effect.mapError(catalog.tables(yield* CurrentPrincipal, optionsOf(query)), catalogProblem)
        return tables.map(tableJson)
      }),
      tableMetadata: Effect.fnUntraced(function* ({ params, query }) {
        const id = yield* metadataIdOf("table", params.id)
        return tableJson(
          yield* Effect.mapError(catalog.table(yield* CurrentPrincipal, id, optionsOf(query)), catalogProblem)
        )
      }),
      updateTable: Effect.fnUntraced(function* ({ params, payload }) {
        const id = yield* metadataIdOf("table", params.id)
        if (!isStorable(payload)) return yield* notStorable()
        const choices = {
          ...(payload.display_name !== undefined && { displayName: payload.display_name.trim() }),
          ...(payload.description !== undefined && { description: payload.description })
        }
        const changed = catalog.changeTable(yield* CurrentPrincipal, id, choices)
        return tableJson(yield* Effect.mapError(changed, changeProblem))
      }),
      field: Effect.fnUntraced(function* ({ params, query }) {
        const id = yield* metadataIdOf("field", params.id)
        return fieldJson(
          yield* Effect.mapError(catalog.field(yield* CurrentPrincipal, id, query.site ?? null), catalogProblem)
        )
      }),
      updateField: Effect.fnUntraced(function* ({ params, payload }) {
        const id = yield* metadataIdOf("field", params.id)
        const changed = catalog.changeField(yield* CurrentPrincipal, id, yield* changeOf(id, payload))
        return fieldJson(yield* Effect.mapError(changed, changeProblem))
      }),
      values: Effect.fnUntraced(function* ({ params, query }) {
        const id = yield* metadataIdOf("field", params.id)
        const found = catalog.values(yield* CurrentPrincipal, id, query.site ?? null)
        const { hasMore, values } = yield* Effect.mapError(found, catalogProblem)
        return { field_id: id, values, has_more_values: hasMore }
      }),
      search: Effect.fnUntraced(function* ({ params, query }) {
        const id = yield* metadataIdOf("field", params.id)
        return yield* search(id, query.site ?? null, { term: params.term, limit: query.limit ?? DEFAULT_FOUND })
      })
    })
  })
)
