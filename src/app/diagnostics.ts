import { join } from "node:path"
import { Context, Effect, Layer, Option, Redacted, Result, type Scope } from "effect"
import * as MaxmindGeo from "../../layers/geo/MaxmindGeo.ts"
import { lakeConfig } from "../../layers/lake/config.ts"
import { probeLake } from "../../layers/lake/probeLake.ts"
import * as LicenseGate from "../../layers/license/LicenseGate.ts"
import { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { MIGRATIONS } from "../../layers/postgres/client/migrate.ts"
import { openPool, serversOf } from "../../layers/postgres/client/openPool.ts"
import { sqlMessage } from "../../layers/postgres/client/sqlErrors.ts"
import * as Changes from "../../layers/postgres/control/Changes.ts"
import * as PgAdminKeys from "../../layers/postgres/control/PgAdminKeys.ts"
import * as PgAppSecret from "../../layers/postgres/control/PgAppSecret.ts"
import * as PgSettings from "../../layers/postgres/control/PgSettings.ts"
import * as PgSites from "../../layers/postgres/control/PgSites.ts"
import { READER, readerState } from "../../layers/postgres/query/readerRole.ts"
import { leftovers } from "../../layers/spool/leftover.ts"
import type { StartError } from "../domain/StartError.ts"
import { explainClient, trustInWords } from "../pipeline/explainClient.ts"
import { Policy } from "../pipeline/Policy.ts"
import { AdminKeys } from "../ports/AdminKeys.ts"
import { AppSecret } from "../ports/AppSecret.ts"
import { Diagnostics, type Finding, type Subject } from "../ports/Diagnostics.ts"
import { FeatureGate } from "../ports/FeatureGate.ts"
import { Geo } from "../ports/Geo.ts"
import { QueryEngine } from "../ports/QueryEngine.ts"
import { Settings } from "../ports/Settings.ts"
import { Sites } from "../ports/Sites.ts"
import { Storage } from "../ports/Storage.ts"
import { probe } from "../query/probe.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { resolveAll } from "../settings/resolve.ts"
import { DATA_DIR, SPOOL_DIR, STORAGE_BACKEND, TRUST_PROXY, WAREHOUSE } from "../settings/settings.ts"
import { storage } from "./storages.ts"
import { quietWarehouse } from "./warehouses.ts"

/** How long the geo database may take to load before it is reported as loading. */
const GEO_TIMEOUT = "5 seconds"

/** Connections to the app database: the checks run one after the other. */
const CONNECTIONS = 4

const checkEnvironment = (): ReadonlyArray<Finding> => {
  const resolved = [...resolveAll(process.env, new Map())]
  const invalid = resolved.flatMap(
    ([, { problem }]): ReadonlyArray<Finding> =>
      problem === null ? [] : [{ _tag: "InvalidVariable", problem: problem.message }]
  )
  const variables = resolved.flatMap(([setting, { source }]) => (source === "environment" ? setting.env : []))
  return invalid.length > 0 ? invalid : [{ _tag: "Environment", variables }]
}

/** The services of a layer, or the finding that they cannot be built. */
const build = <A, R>(
  subject: Subject,
  layer: Layer.Layer<A, StartError, R>
): Effect.Effect<Context.Context<A>, Finding, R | Scope.Scope> =>
  Effect.mapError(Layer.build(layer), ({ message }) => ({ _tag: "CannotStart", subject, message }))

const openDatabase = Effect.gen(function* () {
  const context = yield* build("database", DatabaseUrl.layer)
  const { embedded, url } = Context.get(context, DatabaseUrl)
  const sql = yield* Effect.mapError(
    openPool({ embedded, url }, {}, { maxConnections: CONNECTIONS }),
    ({ message }): Finding => ({ _tag: "DatabaseUnreachable", embedded, message })
  )
  const location = embedded ? process.env[DATA_DIR.env] || DATA_DIR.default : serversOf(url)
  const finding: Finding = { _tag: "DatabaseReachable", embedded, location }
  return { context: Context.add(context, AppDatabase, sql), finding }
})

const checkMigrations = Effect.gen(function* () {
  const sql = yield* AppDatabase
  const applied = yield* sql
    .unsafe<{ readonly name: string }>(
      "SELECT name FROM product_analytics_migration WHERE to_regclass('product_analytics_migration') IS NOT NULL ORDER BY name"
    )
    // A new database does not have the table.
    .pipe(Effect.orElseSucceed(() => []))
  const names = applied.map(({ name }) => name)
  const pending = MIGRATIONS.flatMap(({ name }) => (names.includes(name) ? [] : name))
  const newer = names.filter((name) => !MIGRATIONS.some((known) => known.name === name))
  const finding: Finding =
    newer.length > 0
      ? { _tag: "MigratedByNewerVersion", names: newer }
      : pending.length > 0
        ? { _tag: "MigrationsPending", names: pending }
        : { _tag: "Migrated", latest: names.at(-1) ?? "none", count: names.length }
  return { finding, isMigrated: pending.length === 0 }
})

const checkSettings = Effect.gen(function* () {
  const states = yield* (yield* Settings).list
  const invalid = states.flatMap(
    ({ setting, problem }): ReadonlyArray<Finding> =>
      problem?.source === "table" ? [{ _tag: "InvalidSetting", name: setting.name, problem: problem.message }] : []
  )
  const names = states.flatMap(({ setting, source }) => (source === "table" ? setting.name : []))
  return invalid.length > 0 ? invalid : [{ _tag: "SettingsTable", names } satisfies Finding]
}).pipe(
  Effect.catch(({ message }) => Effect.succeed<ReadonlyArray<Finding>>([{ _tag: "SettingsUnavailable", message }]))
)

type Check<R> = Effect.Effect<Finding, never, R>

const checkSecret: Check<AppSecret> = Effect.map(AppSecret, ({ source }) => ({ _tag: "Secret", source }))

const checkLicense: Check<FeatureGate> = Effect.map(FeatureGate, (gate) => ({ _tag: "License", state: gate.state() }))

const checkProxies: Check<Policy | Settings> = Effect.gen(function* () {
  const settings = yield* Settings
  const { trust, clientIpHeader } = yield* Policy
  return {
    _tag: "ProxyTrust",
    value: settings.get(TRUST_PROXY).written,
    meaning: trustInWords(trust),
    trustsEveryone: trust._tag === "All",
    clientIpHeader
  }
})

const checkGeo: Check<Geo> = Effect.gen(function* () {
  const geo = yield* Geo
  const loaded = Effect.sync(() => geo.state()).pipe(
    Effect.delay("20 millis"),
    Effect.repeat({ while: (state) => state._tag === "Loading" }),
    Effect.timeoutOption(GEO_TIMEOUT)
  )
  return { _tag: "Geo", state: Option.getOrElse(yield* loaded, () => geo.state()) }
})

const checkStorage: Check<Storage> = Effect.gen(function* () {
  const service = yield* Storage
  const { backend } = yield* service.status
  return yield* Effect.match(service.ping, {
    onSuccess: (): Finding => ({ _tag: "StorageWritable", backend }),
    onFailure: ({ message }): Finding => ({ _tag: "StorageUnavailable", backend, message })
  })
})

/** Every part of the lake, if events go there. */
const checkLake = Effect.gen(function* () {
  const settings = yield* Settings
  if (settings.get(STORAGE_BACKEND) !== "iceberg") return []
  const { url } = yield* DatabaseUrl
  const probes = yield* probeLake(yield* lakeConfig(settings, Redacted.value(url)))
  return probes.map((probe): Finding => ({ _tag: "LakePart", ...probe }))
}).pipe(
  Effect.catch(({ message }) =>
    Effect.succeed<ReadonlyArray<Finding>>([{ _tag: "CannotStart", subject: "lake", message }])
  )
)

/** Spools that nothing flushes, because events go elsewhere now. */
const checkSpools = Effect.gen(function* () {
  if ((yield* Settings).get(STORAGE_BACKEND) === "iceberg") return []
  const root = (yield* fromEnvironment(SPOOL_DIR)) ?? join(yield* fromEnvironment(DATA_DIR), "spool")
  return yield* Effect.tryPromise(() => leftovers(root)).pipe(
    Effect.map((found) => found.map((leftover): Finding => ({ _tag: "SpoolLeft", ...leftover }))),
    Effect.catch(({ cause }) =>
      Effect.succeed<ReadonlyArray<Finding>>([
        { _tag: "SpoolUnreadable", folder: root, message: cause instanceof Error ? cause.message : String(cause) }
      ])
    )
  )
}).pipe(
  Effect.catch(({ message }) =>
    Effect.succeed<ReadonlyArray<Finding>>([{ _tag: "CannotStart", subject: "storage", message }])
  )
)

const checkWarehouse: Check<QueryEngine> = Effect.flatMap(QueryEngine, (engine) =>
  Effect.match(probe(engine), {
    onSuccess: (): Finding => ({ _tag: "WarehouseReady", engine: engine.dialect }),
    onFailure: ({ message, reason }): Finding =>
      reason === "Missing"
        ? { _tag: "WarehouseMissing", message }
        : { _tag: "WarehouseUnavailable", engine: engine.dialect, message }
  })
)

/** The engine has given the reader what it may. Only Postgres has one. */
const checkReader: Check<QueryEngine | AppDatabase> = Effect.gen(function* () {
  const state = yield* readerState(yield* AppDatabase)
  const finding: Finding =
    state._tag === "Ready"
      ? { _tag: "ReaderReady", role: READER }
      : { _tag: "ReaderMissing", problem: state.problem, remedy: state.remedy }
  return finding
}).pipe(
  Effect.catch((error) =>
    Effect.succeed<Finding>({ _tag: "WarehouseUnavailable", engine: "postgres", message: sqlMessage(error) })
  )
)

const checkSites: Check<Sites> = Effect.flatMap(Sites, (sites) =>
  Effect.match(sites.list({ archived: false }), {
    onSuccess: ({ length }): Finding => ({ _tag: "SiteCount", count: length }),
    onFailure: ({ message }): Finding => ({ _tag: "SitesUnavailable", message })
  })
)

const checkKeys: Check<AdminKeys> = Effect.flatMap(AdminKeys, (keys) =>
  Effect.match(keys.list, {
    onSuccess: ({ length }): Finding => ({ _tag: "KeyCount", count: length }),
    onFailure: ({ message }): Finding => ({ _tag: "KeysUnavailable", message })
  })
)

const checkClient: Check<Policy | Geo> = Effect.map(
  explainClient({ headers: new Headers(), peer: "127.0.0.1" }),
  ({ ip, why }) => ({ _tag: "LocalClient", ip, why })
)

const policy = Policy.layer.pipe(Layer.provide(PgAppSecret.layer))

/** Each service is built on its own, so that one that cannot be built does not hide the others. */
const checkServices = Effect.gen(function* () {
  const findings: Array<Finding> = []
  const check = <A, RLayer, RCheck>(
    subject: Subject,
    layer: Layer.Layer<A, StartError, RLayer>,
    work: Effect.Effect<Finding, never, RCheck>
  ) =>
    build(subject, layer).pipe(
      Effect.flatMap((context) => Effect.provideContext(work, context)),
      Effect.match({
        onSuccess: (finding) => void findings.push(finding),
        onFailure: (finding) => {
          if (!isReported(finding, findings)) findings.push(finding)
        }
      })
    )
  yield* check("secret", PgAppSecret.layer, checkSecret)
  yield* check("license", LicenseGate.layer, checkLicense)
  yield* check("proxies", policy, checkProxies)
  yield* check("geo", MaxmindGeo.layer, checkGeo)
  yield* check("storage", storage, checkStorage)
  findings.push(...(yield* checkLake), ...(yield* checkSpools))
  yield* check("warehouse", quietWarehouse, checkWarehouse)
  const { get } = yield* Settings
  if (get(WAREHOUSE) === "postgres" && get(STORAGE_BACKEND) === "postgres") {
    yield* check("reader", quietWarehouse, checkReader)
  }
  yield* check("sites", PgSites.layer, checkSites)
  yield* check("keys", PgAdminKeys.layer, checkKeys)
  yield* check("client", Layer.merge(policy, MaxmindGeo.layer), checkClient)
  return findings
})

/** A service that several checks need fails in each of them, and is reported once. */
const isReported = (finding: Finding, findings: ReadonlyArray<Finding>): boolean =>
  finding._tag === "CannotStart" &&
  findings.some((other) => other._tag === "CannotStart" && other.message === finding.message)

/** Later checks need what earlier ones found: a database, its schema, the settings. */
const run: Effect.Effect<ReadonlyArray<Finding>, never, Scope.Scope> = Effect.gen(function* () {
  const findings: Array<Finding> = [...checkEnvironment()]
  const database = yield* Effect.result(openDatabase)
  if (Result.isFailure(database)) return [...findings, database.failure]
  findings.push(database.success.finding)

  const migrations = yield* Effect.provideContext(checkMigrations, database.success.context)
  findings.push(migrations.finding)
  if (!migrations.isMigrated) return findings

  const control = PgSettings.layerWith({ environment: process.env, rejectInvalid: false }).pipe(
    Layer.provideMerge(Changes.layer),
    Layer.provideMerge(Layer.succeedContext(database.success.context))
  )
  const services = yield* Effect.result(build("settings", control))
  if (Result.isFailure(services)) return [...findings, services.failure]
  const checks = Effect.zipWith(checkSettings, checkServices, (settings, others) => [...settings, ...others])
  return [...findings, ...(yield* Effect.provideContext(checks, services.success))]
})

export const layer: Layer.Layer<Diagnostics> = Layer.succeed(Diagnostics, Diagnostics.of({ run: Effect.scoped(run) }))
