import { Schema } from "effect"
import type { Item } from "../../../domain/content/Item.ts"
import { type FilterBody, SavedFilter } from "../../../domain/content/SavedFilter.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { changeFields, createFields, headFields, headJson, ignoredHead } from "../content/json.ts"

const Filter = SavedFilter.annotate({
  description: "A condition on events in FQL/1, stored as it is sent; it may use other segments and cohorts",
  examples: [["=", "event_name", "signup"]]
})

export const FilterJson = Schema.Struct({ ...headFields, filter: Filter }).annotate({
  identifier: "SavedFilter",
  description: "A segment or cohort."
})

export const FilterCreateJson = Schema.Struct({ ...createFields, filter: Filter }).annotate({
  identifier: "SavedFilterCreate"
})

export const FilterUpdateJson = Schema.Struct({
  ...ignoredHead,
  ...changeFields,
  filter: Schema.optionalKey(Filter)
}).annotate({ identifier: "SavedFilterUpdate", description: "Absent keys keep their values." })

export const filterJson = (item: Item<FilterBody>, principal: Principal): typeof FilterJson.Type => ({
  ...headJson(item, principal),
  filter: item.body.filter
})
