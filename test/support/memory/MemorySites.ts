import { Clock, Effect, Layer } from "effect"
import { liveSites } from "../../../layers/postgres/control/LiveSites.ts"
import { accept, siteExists, siteNotFound } from "../../../layers/postgres/control/siteErrors.ts"
import { SiteId } from "../../../src/domain/ids.ts"
import { SITE_DEFAULTS, Site } from "../../../src/domain/Site.ts"
import { Sites } from "../../../src/ports/Sites.ts"

/** Sites in this process only; the given ones exist from the start. */
export const layer = (initial: ReadonlyArray<Site> = []): Layer.Layer<Sites> =>
  Layer.sync(Sites, () => {
    const sites = new Map<string, Site>(initial.map((site) => [site.id, site]))
    let live = liveSites(sites.values())
    const store = (site: Site) =>
      Effect.sync(() => {
        sites.set(site.id, site)
        live = liveSites(sites.values())
        return site
      })
    const now = Effect.map(Clock.currentTimeMillis, (ms) => new Date(ms))
    const get = (id: SiteId) =>
      Effect.suspend(() => {
        const site = sites.get(id.toLowerCase())
        return site === undefined ? Effect.fail(siteNotFound(id)) : Effect.succeed(site)
      })

    return Sites.of({
      find: (id) => live.find(id),
      allowsOrigin: (origin) => live.allowsOrigin(origin),
      list: ({ after, archived, limit }) =>
        Effect.sync(() => {
          const all = [...sites.values()]
            .filter((site) => archived || !site.archived)
            .sort((a, b) => a.name.toLowerCase().localeCompare(b.name.toLowerCase()) || a.id.localeCompare(b.id))
          const start = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1 || all.length
          return all.slice(start, start + (limit ?? all.length))
        }),
      get,
      create: Effect.fn("Sites.create")(function* (given) {
        const values = yield* accept(given)
        const id = values.id ?? SiteId.make(crypto.randomUUID())
        if (sites.has(id)) return yield* siteExists(id)
        const at = yield* now
        return yield* store(
          new Site({
            name: given.name,
            archived: false,
            ...SITE_DEFAULTS,
            ...values,
            id,
            createdAt: at,
            updatedAt: at
          })
        )
      }),
      update: Effect.fn("Sites.update")(function* (id, { archived, ...change }) {
        const values = yield* accept(change)
        const site = yield* get(id)
        const { id: _, ...changed } = values
        return yield* store(
          new Site({ ...site, ...changed, archived: archived ?? site.archived, updatedAt: yield* now })
        )
      }),
      archive: Effect.fn("Sites.archive")(function* (id) {
        const site = yield* get(id)
        return site.archived ? site : yield* store(new Site({ ...site, archived: true, updatedAt: yield* now }))
      })
    })
  })
