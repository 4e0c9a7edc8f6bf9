import { Effect } from "effect"
import type { Table } from "../catalog/Catalog.ts"

/** Removes files that were written for nothing. What cannot be removed now is an orphan later. */
export const discard = ({ store }: Table, locations: ReadonlyArray<string>): Effect.Effect<void> =>
  locations.length === 0 ? Effect.void : Effect.ignore(store.remove(locations))
