import { Effect } from "effect"
import type { CardBody } from "../../../domain/content/Card.ts"
import { ItemId } from "../../../domain/content/Item.ts"
import type { CollectionId } from "../../../domain/people.ts"
import type { NewItem } from "../../../ports/Content.ts"
import { dashboardBodyOf, NEW_DASHBOARD } from "../dashboards/json.ts"
import type { SaveJson } from "./json.ts"

type Saved = typeof SaveJson.Type
type SavedCard = NonNullable<Saved["dashcards"][number]["card"]>

const bodyOf = ({ dataset_query, display, visualization_settings = {} }: SavedCard): CardBody => ({
  dataset_query,
  display,
  visualization_settings,
  parameters: []
})

/** The items that a saved x-ray becomes: its questions by their new ids, and the dashboard that shows them. */
export const newItems = Effect.fnUntraced(function* (
  { dashcards, description = null, name, parameters }: Saved,
  collection: CollectionId
) {
  const cards = new Map<string, NewItem<"card">>()
  const placed = dashcards.map(({ card, col, parameter_mappings, row, size_x, size_y, visualization_settings }) => {
    const id = card === null ? null : ItemId.make(crypto.randomUUID())
    if (card !== null && id !== null) {
      const { description: about = null, name: title } = card
      cards.set(id, { id, kind: "card", name: title, description: about, collection, body: bodyOf(card) })
    }
    return {
      row,
      col,
      size_x,
      size_y,
      card_id: id,
      ...(parameter_mappings !== undefined && { parameter_mappings }),
      ...(visualization_settings !== undefined && { visualization_settings })
    }
  })
  const body = yield* dashboardBodyOf(
    { dashcards: placed, ...(parameters !== undefined && { parameters }) },
    NEW_DASHBOARD
  )
  const dashboard: NewItem<"dashboard"> = { kind: "dashboard", name, description, collection, body }
  return { cards, dashboard }
})
