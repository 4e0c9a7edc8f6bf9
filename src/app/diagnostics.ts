import { constants, existsSync } from "node:fs"
import { access, stat } from "node:fs/promises"
import { dirname, resolve as resolvePath } from "node:path"
import { Context, Effect, Layer, Option, Redacted, Result, type Scope } from "effect"
import * as MaxmindGeo from "../../layers/geo/MaxmindGeo.ts"
import { lakeConfig } from "../../layers/lake/config.ts"
import { probeLake } from "../../layers/lake/probeLake.ts"
import * as LicenseGate from "../../layers/license/LicenseGate.ts"
import { probeProvider } from "../../layers/oidc/probeProvider.ts"
import { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { MIGRATIONS } from "../../layers/postgres/client/migrate.ts"
import { openPool, serversOf } from "../../layers/postgres/client/openPool.ts"
import { sqlMessage } from "../../layers/postgres/client/sqlErrors.ts"
import * as Changes from "../../layers/postgres/control/Changes.ts"
import * as PgAppSecret from "../../layers/postgres/control/PgAppSecret.ts"
import * as PgSettings from "../../layers/postgres/control/PgSettings.ts"
import * as PgSites from "../../layers/postgres/control/PgSites.ts"
import * as PgGroups from "../../layers/postgres/control/people/PgGroups.ts"
import { hasCluster } from "../../layers/postgres/embedded/cluster.ts"
import { READER, readerState } from "../../layers/postgres/query/readerRole.ts"
import * as PgReplicaAdmin from "../../layers/replica/PgReplicaAdmin.ts"
import { leftovers } from "../../layers/spool/leftover.ts"
import type { StartError } from "../domain/StartError.ts"
import { errorCode } from "../lib/errorCode.ts"
import { explainClient, trustInWords } from "../pipeline/explainClient.ts"
import { Policy } from "../pipeline/Policy.ts"
import { AppSecret } from "../ports/AppSecret.ts"
import { Diagnostics, type Finding, type Subject } from "../ports/Diagnostics.ts"
import { FeatureGate } from "../ports/FeatureGate.ts"
import { Geo } from "../ports/Geo.ts"
import { QueryEngine } from "../ports/QueryEngine.ts"
import { ReplicaAdmin } from "../ports/ReplicaAdmin.ts"
import { Settings } from "../ports/Settings.ts"
import { Setup } from "../ports/Setup.ts"
import { Sites } from "../ports/Sites.ts"
import { Storage } from "../ports/Storage.ts"
import { countAdministrators, Users } from "../ports/Users.ts"
import { probe } from "../query/probe.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { isPasswordLoginOn, passwordLoginProblem } from "../settings/passwordLogin.ts"
import { resolveAll } from "../settings/resolve.ts"
import {
  DATA_DIR,
  DATABASE_URL,
  LAKE_S3_BUCKET,
  LAKE_S3_PREFIX,
  LAKE_WAREHOUSE,
  STORAGE_BACKEND,
  TRUST_PROXY,
  WAREHOUSE
} from "../settings/settings.ts"
import { unfinishedProvider } from "../settings/singleSignOn.ts"
import { spoolRoot } from "../settings/spoolRoot.ts"
import { trackerProblem } from "../settings/startProblems.ts"
import { missingMappedGroups } from "./mappedGroups.ts"
import { people } from "./people.ts"
import { storage } from "./storages.ts"
import { quietWarehouse, warehouseName } from "./warehouses.ts"

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

/** A check must not create a database: in a folder that was named by mistake, it would hide the mistake. */
const checkDataFolder = Effect.gen(function* () {
  const url = yield* fromEnvironment(DATABASE_URL)
  const location = yield* fromEnvironment(DATA_DIR)
  if (url === null && !hasCluster(location)) {
    return yield* Effect.fail<Finding>({ _tag: "DatabaseMissing", location: resolvePath(location) })
  }
}).pipe(
  Effect.catchTag("StartError", ({ message }) =>
    Effect.fail<Finding>({ _tag: "CannotStart", subject: "database", message })
  )
)

const openDatabase = Effect.gen(function* () {
  yield* checkDataFolder
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

/** Whether a spool can be opened in its folder. Opening one would write to it. */
const checkSpoolFolder: Effect.Effect<Finding> = Effect.gen(function* () {
  const folder = resolvePath(yield* spoolRoot)
  let existing = folder
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing)
  yield* Effect.tryPromise({
    try: async () => {
      if (!(await stat(existing)).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" })
      await access(existing, constants.W_OK | constants.X_OK)
    },
    catch: (error) => ({ message: `The folder of the spools, ${folder}, can't be written to (${errorCode(error)}).` })
  })
  return { _tag: "StorageWritable", backend: "iceberg" } satisfies Finding
}).pipe(
  Effect.catch(({ message }) => Effect.succeed<Finding>({ _tag: "StorageUnavailable", backend: "iceberg", message }))
)

const checkStorage: Check<Storage> = Effect.gen(function* () {
  const service = yield* Storage
  const { backend } = yield* service.status
  return yield* Effect.match(service.ping, {
    onSuccess: (): Finding => ({ _tag: "StorageWritable", backend }),
    onFailure: ({ message }): Finding => ({ _tag: "StorageUnavailable", backend, message })
  })
})

/** Whether a setting that says where the lake is has an invalid value, which is reported on its own. Without it, the lake's other settings are blamed. */
const isLakeLocationInvalid = Effect.flatMap(Settings, ({ list }) =>
  Effect.match(list, {
    onSuccess: (states) => states.some(({ problem, setting }) => problem !== null && LAKE_LOCATION.has(setting.env)),
    onFailure: () => false
  })
)

const LAKE_LOCATION: ReadonlySet<string> = new Set([LAKE_WAREHOUSE.env, LAKE_S3_BUCKET.env, LAKE_S3_PREFIX.env])

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
  const root = yield* spoolRoot
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

const checkWarehouse: Check<QueryEngine | Settings> = Effect.gen(function* () {
  const engine = yield* QueryEngine
  const isBehindReplica = (yield* Effect.orElseSucceed(warehouseName, () => null)) === "replica"
  return yield* Effect.match(probe(engine), {
    onSuccess: (): Finding => ({ _tag: "WarehouseReady", engine: engine.dialect, isBehindReplica }),
    onFailure: ({ message, reason }): Finding =>
      reason === "Missing" || reason === "NoEngine"
        ? { _tag: "WarehouseMissing", message }
        : { _tag: "WarehouseUnavailable", engine: engine.dialect, message }
  })
})

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

/** The replicas as they reported; the one of a running `full` has its file, so a command cannot open it. */
const checkReplicas: Effect.Effect<ReadonlyArray<Finding>, never, AppDatabase> = Effect.gen(function* () {
  const found = yield* (yield* ReplicaAdmin).list
  const findings = found.map((replica): Finding => ({ _tag: "ReplicaFound", replica }))
  return findings.length === 0 ? [{ _tag: "ReplicaMissing" } satisfies Finding] : findings
}).pipe(
  Effect.provide(PgReplicaAdmin.layer),
  Effect.catch(({ message }) => Effect.succeed<ReadonlyArray<Finding>>([{ _tag: "ReplicaUnknown", message }]))
)

const checkSites: Check<Sites> = Effect.flatMap(Sites, (sites) =>
  Effect.match(sites.list({ archived: false }), {
    onSuccess: ({ length }): Finding => ({ _tag: "SiteCount", count: length }),
    onFailure: ({ message }): Finding => ({ _tag: "SitesUnavailable", message })
  })
)

const checkAdministrators: Check<Users | Setup> = Effect.gen(function* () {
  const count = yield* countAdministrators(yield* Users)
  return { _tag: "AdministratorCount", count, isSetupOpen: yield* (yield* Setup).isOpen } as const
}).pipe(Effect.catch(({ message }) => Effect.succeed<Finding>({ _tag: "PeopleUnavailable", message })))

/** What keeps the groups from being read is reported with the administrators. */
const checkMappedGroups = missingMappedGroups.pipe(
  Effect.map((names) => names.map((name): Finding => ({ _tag: "MappedGroupMissing", name }))),
  Effect.provide(PgGroups.layer),
  Effect.orElseSucceed((): ReadonlyArray<Finding> => [])
)

/** The provider's discovery document, if a provider is configured. */
const checkProvider = Effect.gen(function* () {
  const { get } = yield* Settings
  const unfinished = unfinishedProvider(get)
  if (unfinished !== null) return [{ _tag: "IdentityProviderUnfinished", ...unfinished } as const]
  const probed = yield* probeProvider(get)
  if (probed === null) return []
  const { issuer, problem } = probed
  const finding: Finding =
    problem === null
      ? { _tag: "IdentityProviderReady", issuer }
      : { _tag: "IdentityProviderUnavailable", issuer, problem, isPasswordLoginOn: isPasswordLoginOn(get) }
  return [finding]
})

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
  const { get } = yield* Settings
  const tracker = trackerProblem(get)
  if (tracker !== null) findings.push({ _tag: "CannotStart", subject: "tracker", message: tracker })
  const passwords = passwordLoginProblem(get)
  if (passwords !== null) findings.push({ _tag: "CannotStart", subject: "people", message: passwords })
  if (get(STORAGE_BACKEND) === "iceberg") findings.push(yield* checkSpoolFolder)
  else yield* check("storage", storage, checkStorage)
  if (get(STORAGE_BACKEND) !== "iceberg" || !(yield* isLakeLocationInvalid)) {
    findings.push(...(yield* checkLake))
    yield* check("warehouse", quietWarehouse, checkWarehouse)
  }
  findings.push(...(yield* checkSpools))
  if (get(STORAGE_BACKEND) === "postgres" && get(WAREHOUSE) !== "none") {
    yield* check("reader", quietWarehouse, checkReader)
  }
  if ((yield* Effect.orElseSucceed(warehouseName, () => null)) === "replica") findings.push(...(yield* checkReplicas))
  yield* check("sites", PgSites.layer, checkSites)
  yield* check("people", people, checkAdministrators)
  findings.push(...(yield* checkProvider))
  findings.push(...(yield* checkMappedGroups))
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
