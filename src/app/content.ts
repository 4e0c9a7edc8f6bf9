import { Layer } from "effect"
import * as LinkBuckets from "../../layers/inprocess/LinkBuckets.ts"
import * as PgCollections from "../../layers/postgres/content/PgCollections.ts"
import * as PgContent from "../../layers/postgres/content/PgContent.ts"
import * as PgContentLinks from "../../layers/postgres/content/PgContentLinks.ts"
import * as PgSavedDefinitions from "../../layers/postgres/content/PgSavedDefinitions.ts"
import * as PgTimelineEvents from "../../layers/postgres/content/PgTimelineEvents.ts"

/** What people save and share. */
export const content = Layer.mergeAll(
  PgCollections.layer,
  PgContent.layer,
  PgContentLinks.layer,
  PgSavedDefinitions.layer,
  PgTimelineEvents.layer,
  LinkBuckets.layer
)
