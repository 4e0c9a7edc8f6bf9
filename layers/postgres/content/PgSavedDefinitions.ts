import { Effect, Layer } from "effect"
import type { ItemKind } from "../../../src/domain/content/Item.ts"
import { type References, referencesOf } from "../../../src/domain/content/references.ts"
import { can, type ResourceType } from "../../../src/domain/Principal.ts"
import type { CollectionId } from "../../../src/domain/people.ts"
import { type Definitions, SavedDefinitions, SavedDefinitionsError } from "../../../src/ports/SavedDefinitions.ts"
import { uuidArray } from "../client/arrays.ts"
import { AppDatabase } from "../client/Database.ts"
import { runStatement } from "../client/runStatement.ts"

/** What one question may be built on, altogether. Larger questions would not compile either. */
const MAX_DEFINITIONS = 200
/** Questions on questions, and segments in segments. A question may be nested 5 levels deep. */
const MAX_ROUNDS = 12

interface Row {
  readonly id: string
  readonly kind: ItemKind
  readonly path: ReadonlyArray<CollectionId>
  readonly definition: unknown
  readonly is_trashed: boolean
}

const FIND = `SELECT id::text, kind, product_analytics_collection_path(collection_id) AS path,
    coalesce(body -> 'dataset_query', body -> 'filter') AS definition, archived_at IS NOT NULL AS is_trashed
  FROM product_analytics_content
  WHERE id = ANY($1::uuid[]) AND kind IN ('card', 'segment', 'cohort')`

const RESOURCES: Readonly<Record<string, ResourceType>> = { card: "cards", segment: "segments", cohort: "cohorts" }

const unavailable = (message: string) => new SavedDefinitionsError({ reason: "Unavailable", message })

const idsOf = ({ cards, cohorts, segments }: References): ReadonlyArray<string> => [...cards, ...cohorts, ...segments]

/** Finds what a question is built on, one statement for each level of nesting, and none if it refers to nothing. */
export const layer: Layer.Layer<SavedDefinitions, never, AppDatabase> = Layer.effect(
  SavedDefinitions,
  Effect.map(AppDatabase, (sql) => {
    const find = (ids: ReadonlyArray<string>) => runStatement(sql.unsafe<Row>(FIND, [uuidArray(ids)]), unavailable)

    return SavedDefinitions.of({
      load: Effect.fn("SavedDefinitions.load")(function* (principal, json) {
        const cards = new Map<string, unknown>()
        const segments = new Map<string, unknown>()
        const cohorts = new Map<string, unknown>()
        const maps: Readonly<Record<string, Map<string, unknown>>> = { card: cards, segment: segments, cohort: cohorts }
        const trashed = new Set<string>()
        const asked = new Set<string>()
        let wanted = idsOf(referencesOf(json))
        for (let round = 0; wanted.length > 0; round++) {
          if (round === MAX_ROUNDS) {
            return yield* new SavedDefinitionsError({
              reason: "TooMany",
              message: `The question is built on saved questions, segments and cohorts that are nested more than ${MAX_ROUNDS} levels deep.`
            })
          }
          for (const id of wanted) asked.add(id)
          if (asked.size > MAX_DEFINITIONS) {
            return yield* new SavedDefinitionsError({
              reason: "TooMany",
              message: `The question is built on more than ${MAX_DEFINITIONS} saved questions, segments and cohorts.`
            })
          }
          const readable = (yield* find(wanted)).filter(({ kind, path }) =>
            can(principal, "read", { type: RESOURCES[kind]!, collection: path })
          )
          for (const { id, is_trashed } of readable) if (is_trashed) trashed.add(id)
          const rows = readable.filter(({ is_trashed }) => !is_trashed)
          for (const { definition, id, kind } of rows) maps[kind]!.set(id, definition)
          wanted = [...new Set(rows.flatMap(({ definition }) => idsOf(referencesOf(definition))))].filter(
            (id) => !asked.has(id)
          )
        }
        return { cards, segments, cohorts, trashed } satisfies Definitions
      })
    })
  })
)
