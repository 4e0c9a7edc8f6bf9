import { Effect, Layer, type Redacted } from "effect"
import { AppDatabase, DatabaseUrl } from "../../../layers/postgres/client/Database.ts"
import * as PgCollections from "../../../layers/postgres/content/PgCollections.ts"
import * as PgContent from "../../../layers/postgres/content/PgContent.ts"
import * as PgContentLinks from "../../../layers/postgres/content/PgContentLinks.ts"
import * as PgTimelineEvents from "../../../layers/postgres/content/PgTimelineEvents.ts"
import type { CardBody } from "../../../src/domain/content/Card.ts"
import type { StartError } from "../../../src/domain/StartError.ts"
import type { Collections } from "../../../src/ports/Collections.ts"
import type { Content } from "../../../src/ports/Content.ts"
import type { ContentLinks } from "../../../src/ports/ContentLinks.ts"
import type { TimelineEvents } from "../../../src/ports/TimelineEvents.ts"

/** Everything that people save, in a database, with connections of its own. */
export const contentLayer = (
  url: Redacted.Redacted<string>
): Layer.Layer<Content | Collections | ContentLinks | TimelineEvents | AppDatabase, StartError> =>
  Layer.mergeAll(PgContent.layer, PgCollections.layer, PgContentLinks.layer, PgTimelineEvents.layer).pipe(
    Layer.provideMerge(AppDatabase.layer),
    Layer.provide(Layer.succeed(DatabaseUrl, { url, embedded: true })),
    Layer.fresh
  )

/** The services of one process, until the scope closes. */
export const startContent = (url: Redacted.Redacted<string>) => Layer.build(contentLayer(url))

export const ADA = { kind: "user", id: "7", name: "Ada" }
export const BOB = { kind: "user", id: "8", name: "Bob" }

/** A saved question that counts events. */
export const cardBody = (parts: object = {}): CardBody => ({
  dataset_query: { fql: 1, type: "query", source: "v_pa_events", aggregation: [["count"]], ...parts },
  display: "line",
  visualization_settings: {},
  parameters: []
})

/** Succeeds with the failure. */
export const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<E, A, R> => Effect.flip(effect)
