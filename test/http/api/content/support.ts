import { Effect, Layer } from "effect"
import * as PgSavedDefinitions from "../../../../layers/postgres/content/PgSavedDefinitions.ts"
import { SiteId } from "../../../../src/domain/ids.ts"
import { SITE_DEFAULTS, Site } from "../../../../src/domain/Site.ts"
import { OTHER_SITE, SITE } from "../../../services/fixture.ts"
import * as MemorySites from "../../../support/memory/MemorySites.ts"
import { contentLayer } from "../../../support/postgres/content.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { pgWarehouse } from "../../../support/postgres/pgWarehouse.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"
import { fillWithEvents } from "../../../support/questions/events.ts"
import { type Admin, startAdmin } from "../support.ts"

/** The sites of the fixture's events. "Other" comes first by name. */
export const SITES = [
  [SITE, "Shop"],
  [OTHER_SITE, "Other"]
].map(
  ([id, name]) =>
    new Site({
      ...SITE_DEFAULTS,
      id: SiteId.make(id!),
      name: name!,
      archived: false,
      createdAt: new Date(0),
      updatedAt: new Date(0)
    })
)

export const INSERT_SITES = `INSERT INTO product_analytics_site (id, name, timezone, week_start, currency) VALUES ${SITES.map(
  ({ currency, id, name, timezone, weekStart }) => `('${id}', '${name}', '${timezone}', '${weekStart}', '${currency}')`
)}`

type Url = Awaited<ReturnType<typeof freshDatabase>>

/** The API on a database with the fixture's events, and what people save in it. */
export const startContentAdmin = async (
  environment: Readonly<Record<string, string>> = {}
): Promise<Admin & { readonly url: Url }> => {
  const url = await freshDatabase()
  await fillWithEvents(url)
  await run(Effect.flatMap(openClient(url, 1), (sql) => sql.unsafe(INSERT_SITES)))
  const content = contentLayer(url)
  const admin = await startAdmin({
    environment: { PUBLIC_URL: "https://stats.example", QUESTION_CACHE_BYTES: "0", ...environment },
    sites: MemorySites.layer(SITES),
    warehouse: pgWarehouse(url),
    content,
    saved: PgSavedDefinitions.layer.pipe(Layer.provide(content))
  })
  return { ...admin, url }
}

/** A question that counts the events of the fixture's days. */
export const question = (parts: object = {}) => ({
  fql: 1,
  type: "query",
  source: "v_pa_events",
  aggregation: [["count"]],
  ...parts
})

export const UNKNOWN = "5a1ed000-0000-4000-8000-000000000099"
