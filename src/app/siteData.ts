import { Effect, Layer } from "effect"
import type { AppDatabase } from "../../layers/postgres/client/Database.ts"
import * as PgSiteData from "../../layers/postgres/control/PgSiteData.ts"
import { Settings } from "../ports/Settings.ts"
import { SiteData, SiteDataError } from "../ports/SiteData.ts"
import { STORAGE_BACKEND } from "../settings/settings.ts"

const inTheLake = Effect.fail(
  new SiteDataError({
    reason: "Unsupported",
    message:
      "Footfall does not delete rows of a lake. Archive the site, or delete its rows of pa_events, pa_sessions and pa_session_data with an engine that can, such as Trino: see docs/lake.md."
  })
)

/** Deletes the data of sites where the storage keeps it. */
export const siteData: Layer.Layer<SiteData, never, AppDatabase | Settings> = Layer.unwrap(
  Effect.map(Settings, ({ get }) =>
    get(STORAGE_BACKEND) === "postgres"
      ? PgSiteData.layer
      : Layer.succeed(SiteData, SiteData.of({ reset: () => inTheLake, remove: () => inTheLake }))
  )
)
