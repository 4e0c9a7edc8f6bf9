import { Clock, Context, Effect, Layer, Schema } from "effect"
import type { Site } from "../../domain/Site.ts"
import type { StorageError } from "../../domain/StorageError.ts"
import { type DeletedData, SiteData, type SiteDataError } from "../../ports/SiteData.ts"
import { Sites, SitesError } from "../../ports/Sites.ts"
import { Storage } from "../../ports/Storage.ts"
import { DEMO_DAYS, DEMO_SITE_ID, type DemoRecord, demoRecords } from "./demoEvents.ts"

/** The demo site exists already. */
export class DemoExists extends Schema.TaggedError<DemoExists>()("DemoExists", { message: Schema.String }) {}

export interface CreatedDemo {
  readonly site: Site
  readonly events: number
}

/** A sample site with 90 days of made-up events. */
export class Demo extends Context.Service<
  Demo,
  {
    /** Creates the site and its events. `onProgress` gets the share that is done, from 0 to 1. */
    readonly create: (
      onProgress?: (share: number) => Effect.Effect<void>
    ) => Effect.Effect<CreatedDemo, DemoExists | SitesError | StorageError>
    /** Removes the site with everything that it has. */
    readonly remove: Effect.Effect<DeletedData, SitesError | SiteDataError>
  }
>()("footfall/pipeline/Demo") {}

/** Events that are saved at the same time: enough to fill the batches that a storage writes. */
const AT_ONCE = 200

export const layer: Layer.Layer<Demo, never, Sites | Storage | SiteData> = Layer.effect(
  Demo,
  Effect.gen(function* () {
    const sites = yield* Sites
    const storage = yield* Storage
    const data = yield* SiteData
    const save = (one: DemoRecord) =>
      one.kind === "event" ? storage.saveEvent(one.record) : storage.saveIdentity(one.record)

    return Demo.of({
      create: Effect.fn("Demo.create")(function* (onProgress = () => Effect.void) {
        const site = yield* sites
          .create({ id: DEMO_SITE_ID, name: "Demo: Acme Notes", timezone: "Europe/Berlin", currency: "EUR" })
          .pipe(
            Effect.catchIf(
              ({ reason }) => reason === "Conflict",
              () =>
                Effect.fail(
                  new DemoExists({
                    message: "The demo site exists already. Remove it first: `bun run footfall demo remove`."
                  })
                )
            )
          )
        let events = 0
        let days = 0
        for (const records of demoRecords(yield* Clock.currentTimeMillis)) {
          yield* Effect.forEach(records, save, { concurrency: AT_ONCE, discard: true })
          events += records.filter(({ kind }) => kind === "event").length
          yield* onProgress(++days / DEMO_DAYS)
        }
        yield* storage.flush
        return { site, events }
      }),
      remove: Effect.gen(function* () {
        // Archived sites accept no events.
        yield* sites.archive(DEMO_SITE_ID).pipe(
          Effect.mapError((error) =>
            error.reason === "NotFound"
              ? new SitesError({
                  reason: "NotFound",
                  message: "There is no demo site. `bun run footfall demo` creates it."
                })
              : error
          )
        )
        return yield* data.remove(DEMO_SITE_ID)
      })
    })
  })
)
