import { Effect, Layer, Semaphore } from "effect"
import { SiteId } from "../../../src/domain/ids.ts"
import { type Definitions, SITE_DEFAULTS, Site, type WeekStart } from "../../../src/domain/Site.ts"
import { type StartError, startLater } from "../../../src/domain/StartError.ts"
import type { AuditEvent } from "../../../src/ports/AuditLog.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { Sites, SitesError } from "../../../src/ports/Sites.ts"
import { INSTANCE_TIMEZONE, INSTANCE_WEEK_START } from "../../../src/settings/settings.ts"
import { textArray } from "../client/arrays.ts"
import { AppDatabase } from "../client/Database.ts"
import { runStatement } from "../client/runStatement.ts"
import { audited } from "./audit.ts"
import { Changes } from "./Changes.ts"
import { type LiveSites, liveSites } from "./LiveSites.ts"
import { accept, siteExists, siteNotFound } from "./siteErrors.ts"

interface Row {
  readonly id: string
  readonly name: string
  readonly domains: ReadonlyArray<string>
  readonly timezone: string
  readonly week_start: WeekStart
  readonly definitions: Definitions
  readonly currency: string
  readonly rate_limit_eps: number | null
  readonly rate_limit_burst: number | null
  readonly archived: boolean
  readonly created_ms: number
  readonly updated_ms: number
}

const COLUMNS = `id, name, domains, timezone, week_start, definitions, currency, rate_limit_eps, rate_limit_burst,
  archived_at IS NOT NULL AS archived,
  floor(extract(epoch FROM created_at) * 1000)::float8 AS created_ms,
  floor(extract(epoch FROM updated_at) * 1000)::float8 AS updated_ms`

const toSite = (row: Row): Site =>
  new Site({
    id: SiteId.make(row.id),
    name: row.name,
    domains: row.domains,
    archived: row.archived,
    rateLimit:
      row.rate_limit_eps === null || row.rate_limit_burst === null
        ? null
        : { eventsPerSecond: row.rate_limit_eps, burst: row.rate_limit_burst },
    timezone: row.timezone,
    weekStart: row.week_start,
    definitions: row.definitions,
    currency: row.currency,
    createdAt: new Date(row.created_ms),
    updatedAt: new Date(row.updated_ms)
  })

// Without $2, all sites; without $3, any number of them.
const LIST = `SELECT ${COLUMNS} FROM product_analytics_site
  WHERE ($1 OR archived_at IS NULL)
    AND ($2::uuid IS NULL OR (lower(name), name, id) > (SELECT lower(name), name, id FROM product_analytics_site WHERE id = $2::uuid))
  ORDER BY lower(name), name, id
  LIMIT $3::int`
const GET = `SELECT ${COLUMNS} FROM product_analytics_site WHERE id = $1::uuid`
const CREATE = `INSERT INTO product_analytics_site
    (id, name, domains, timezone, week_start, currency, rate_limit_eps, rate_limit_burst, definitions)
  VALUES ($1::uuid, $2, $3, $4, $5, $6, $7::float8, $8::int, $9)
  ON CONFLICT (id) DO NOTHING
  RETURNING ${COLUMNS}`
// Null leaves a column unchanged. For the rate limit, where null is a value, $7 says whether it changes.
const UPDATE = `UPDATE product_analytics_site SET
    name = coalesce($2::text, name),
    domains = coalesce($3::text[], domains),
    timezone = coalesce($4::text, timezone),
    week_start = coalesce($5::text, week_start),
    currency = coalesce($6::text, currency),
    rate_limit_eps = CASE WHEN $7::bool THEN $8::float8 ELSE rate_limit_eps END,
    rate_limit_burst = CASE WHEN $7::bool THEN $9::int ELSE rate_limit_burst END,
    definitions = coalesce($11::text, definitions),
    archived_at = CASE $10::bool WHEN true THEN coalesce(archived_at, now()) WHEN false THEN NULL ELSE archived_at END,
    updated_at = now()
  WHERE id = $1::uuid
  RETURNING ${COLUMNS}`
const ARCHIVE = `UPDATE product_analytics_site SET archived_at = now(), updated_at = now()
  WHERE id = $1::uuid AND archived_at IS NULL
  RETURNING ${COLUMNS}`

/** The sites in the app database. Those not archived are also in memory: read at the start, and again at each change. */
export const layer: Layer.Layer<Sites, StartError, AppDatabase | Changes | Settings> = Layer.effect(
  Sites,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const changes = yield* Changes
    const { get: setting } = yield* Settings
    const unavailable = (message: string) => new SitesError({ reason: "Unavailable", message })
    const select = (statement: string, values: ReadonlyArray<unknown>) =>
      Effect.map(sql.unsafe<Row>(statement, values), (rows) => rows.map(toSite))
    const run = (statement: string, values: ReadonlyArray<unknown>) =>
      runStatement(select(statement, values), unavailable)
    /** Runs a statement that changes at most one site, and records the change. */
    const change = (statement: string, values: ReadonlyArray<unknown>, what: Pick<AuditEvent, "action" | "details">) =>
      runStatement(
        audited(sql, select(statement, values), ([site]) =>
          site === undefined ? null : { ...what, targetKind: "site", targetId: site.id, targetName: site.name }
        ),
        unavailable
      )

    let live: LiveSites = liveSites([])
    // One reload at a time, so that an older read cannot overwrite a newer one.
    const reload = Semaphore.makeUnsafe(1).withPermit(
      Effect.map(run(LIST, [false, null, null]), (sites) => {
        live = liveSites(sites)
      })
    )
    yield* Effect.mapError(reload, ({ message }) => startLater(`Can't read the sites: ${message}`))
    yield* changes.follow("sites", reload)

    const get = (id: SiteId) =>
      Effect.flatMap(run(GET, [id]), ([site]) =>
        site === undefined ? Effect.fail(siteNotFound(id)) : Effect.succeed(site)
      )
    /** This process applies its own change at once. */
    const applied = (site: Site) => Effect.as(Effect.ignore(reload), site)

    return Sites.of({
      find: (id) => live.find(id),
      allowsOrigin: (origin) => live.allowsOrigin(origin),
      list: ({ after, archived, limit }) => run(LIST, [archived, after ?? null, limit ?? null]),
      get,
      create: Effect.fn("Sites.create")(function* (input) {
        const values = {
          ...SITE_DEFAULTS,
          timezone: setting(INSTANCE_TIMEZONE),
          weekStart: setting(INSTANCE_WEEK_START),
          ...(yield* accept(input))
        }
        const id = values.id ?? SiteId.make(crypto.randomUUID())
        const row = [
          id,
          values.name,
          textArray(values.domains),
          values.timezone,
          values.weekStart,
          values.currency,
          values.rateLimit?.eventsPerSecond ?? null,
          values.rateLimit?.burst ?? null,
          values.definitions
        ]
        const [site] = yield* change(CREATE, row, { action: "site.create", details: { ...values } })
        return site === undefined ? yield* siteExists(id) : yield* applied(site)
      }),
      update: Effect.fn("Sites.update")(function* (id, { archived, ...given }) {
        const values = yield* accept(given)
        const row = [
          id,
          values.name ?? null,
          values.domains === undefined ? null : textArray(values.domains),
          values.timezone ?? null,
          values.weekStart ?? null,
          values.currency ?? null,
          values.rateLimit !== undefined,
          values.rateLimit?.eventsPerSecond ?? null,
          values.rateLimit?.burst ?? null,
          archived ?? null,
          values.definitions ?? null
        ]
        const details = { ...values, ...(archived !== undefined && { archived }) }
        const [site] = yield* change(UPDATE, row, { action: "site.update", details })
        return site === undefined ? yield* siteNotFound(id) : yield* applied(site)
      }),
      archive: Effect.fn("Sites.archive")(function* (id) {
        const [site] = yield* change(ARCHIVE, [id], { action: "site.archive" })
        // The site is archived already, or does not exist.
        return site === undefined ? yield* get(id) : yield* applied(site)
      })
    })
  })
)
