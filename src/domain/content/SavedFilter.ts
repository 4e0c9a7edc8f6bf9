import { Schema } from "effect"

/** A condition in FQL/1, such as `["=", "country", "DE"]`. */
export const SavedFilter = Schema.TupleWithRest(Schema.Tuple([Schema.String]), [Schema.Unknown])
export type SavedFilter = typeof SavedFilter.Type

/** A segment selects rows of events; a cohort selects the visitors who have a matching event in the question's range. */
export const FilterBody = Schema.Struct({ filter: SavedFilter })
export type FilterBody = typeof FilterBody.Type
