import { Effect, Layer } from "effect"
import { type Definitions, SavedDefinitions } from "../../../src/ports/SavedDefinitions.ts"

/** Everything that questions may refer to, for every caller; by default nothing. */
export const layer = ({
  cards = new Map(),
  cohorts = new Map(),
  segments = new Map(),
  trashed = new Set()
}: Partial<Definitions> = {}): Layer.Layer<SavedDefinitions> =>
  Layer.succeed(
    SavedDefinitions,
    SavedDefinitions.of({ load: () => Effect.succeed({ cards, segments, cohorts, trashed }) })
  )
