import { Console, Context, Effect, Layer, Option, Predicate, Result, type Scope } from "effect"
import { Command } from "effect/cli"
import * as MaxmindGeo from "../../layers/geo/MaxmindGeo.ts"
import * as LicenseGate from "../../layers/license/LicenseGate.ts"
import { layerDatabaseUrl, open, placeOf } from "../../layers/postgres/client/connect.ts"
import { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { MIGRATIONS } from "../../layers/postgres/client/migrate.ts"
import { layer as changes } from "../../layers/postgres/control/Changes.ts"
import { layer as pgAdminKeys } from "../../layers/postgres/control/PgAdminKeys.ts"
import { layer as pgAppSecret } from "../../layers/postgres/control/PgAppSecret.ts"
import { layerWith as pgSettings } from "../../layers/postgres/control/PgSettings.ts"
import { layer as pgSites } from "../../layers/postgres/control/PgSites.ts"
import { storage } from "../app/storages.ts"
import { warehouse } from "../app/warehouses.ts"
import type { StartError } from "../domain/StartError.ts"
import { PREFIX } from "../http/shared/prefix.ts"
import { explainClient, trustInWords } from "../pipeline/explainClient.ts"
import { Policy } from "../pipeline/Policy.ts"
import { AdminKeys } from "../ports/AdminKeys.ts"
import { AppSecret } from "../ports/AppSecret.ts"
import { FeatureGate } from "../ports/FeatureGate.ts"
import { Geo } from "../ports/Geo.ts"
import { QueryEngine } from "../ports/QueryEngine.ts"
import { Settings } from "../ports/Settings.ts"
import { Sites } from "../ports/Sites.ts"
import { Storage } from "../ports/Storage.ts"
import { probe } from "../query/probe.ts"
import { resolveAll } from "../settings/resolve.ts"
import { DATA_DIR, TRUST_PROXY } from "../settings/settings.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { firstLine, json, printJson } from "./output.ts"
import { ask, serverUrl, url } from "./server.ts"
import { apiKey, key } from "./status.ts"

/** One thing that was looked at. `bad` means that something does not work; `note` that something is left to do or to know. */
interface Check {
  readonly about: string
  readonly state: "ok" | "note" | "bad"
  readonly found: string
  readonly todo?: string
}

const ok = (about: string, found: string): Check => ({ about, state: "ok", found })
const note = (about: string, found: string, todo?: string): Check => ({
  about,
  state: "note",
  found,
  ...(todo !== undefined && { todo })
})
const bad = (about: string, found: string, todo?: string): Check => ({
  about,
  state: "bad",
  found,
  ...(todo !== undefined && { todo })
})

const plural = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`

/** How long the geo database may take to be loaded before doctor says so. */
const GEO_TIMEOUT = "5 seconds"

const environment = (): ReadonlyArray<Check> => {
  const resolved = [...resolveAll(process.env, new Map())]
  const problems = resolved.flatMap(([, { problem }]) => problem?.message ?? [])
  const set = resolved.flatMap(([setting, { source }]) => (source === "environment" ? setting.env : []))
  return problems.length > 0
    ? problems.map((problem) =>
        bad("environment", problem, "Put the variable right; the server does not start with it.")
      )
    : [ok("environment", set.length === 0 ? "no settings; everything has its default" : `sets ${set.join(", ")}`)]
}

/** The services of a layer, or the check that says why there are none. */
const built = <A, R>(about: string, layer: Layer.Layer<A, StartError, R>) =>
  Effect.mapError(Layer.build(layer), ({ message }) => bad(about, message, "The server does not start like this."))

const database = Effect.gen(function* () {
  const context = yield* built("database", layerDatabaseUrl)
  const address = Context.get(context, DatabaseUrl)
  const sql = yield* Effect.mapError(open(address, {}, 4), ({ message }) =>
    bad(
      "database",
      message,
      address.embedded ? "Its log is postgres.log in DATA_DIR." : "Is it running, and may this machine connect to it?"
    )
  )
  const found = address.embedded
    ? `the embedded Postgres in ${process.env[DATA_DIR.env] || DATA_DIR.default} answers`
    : `the Postgres at ${placeOf(address.url)} answers`
  return { context: Context.add(context, AppDatabase, sql), check: ok("database", found) }
})

const migrations = Effect.gen(function* () {
  const sql = yield* AppDatabase
  const applied = yield* sql
    .unsafe<{ readonly name: string }>(
      "SELECT name FROM product_analytics_migration WHERE to_regclass('product_analytics_migration') IS NOT NULL ORDER BY name"
    )
    .pipe(Effect.orElseSucceed(() => []))
  const names = new Set(applied.map(({ name }) => name))
  const pending = MIGRATIONS.filter(({ name }) => !names.has(name))
  const newer = applied.filter(({ name }) => !MIGRATIONS.some((ours) => ours.name === name))
  if (newer.length > 0) {
    return {
      migrated: pending.length === 0,
      check: note(
        "migrations",
        `the database is of a newer Footfall (${newer.map(({ name }) => name).join(", ")})`,
        "Update this one."
      )
    }
  }
  return pending.length === 0
    ? {
        migrated: true,
        check: ok("migrations", `up to date, ${applied.at(-1)?.name ?? "none"} is the last of ${applied.length}`)
      }
    : {
        migrated: false,
        check: note(
          "migrations",
          `${pending.map(({ name }) => name).join(", ")} not applied yet`,
          "The next start applies them, or `bun run footfall migrate` now."
        )
      }
})

const settings = Effect.gen(function* () {
  const states = yield* (yield* Settings).list
  const wrong = states.flatMap(({ setting, problem }) =>
    problem?.source === "table" ? bad("settings", `${setting.name}: ${problem.message}`) : []
  )
  const fromTable = states.flatMap(({ setting, source }) => (source === "table" ? setting.name : []))
  return wrong.length > 0
    ? wrong
    : [
        ok(
          "settings",
          fromTable.length === 0 ? "the settings table is empty" : `the settings table sets ${fromTable.join(", ")}`
        )
      ]
}).pipe(Effect.catch(({ message }) => Effect.succeed([bad("settings", message)])))

const secret = Effect.map(AppSecret, ({ source }) =>
  source === "database"
    ? ok("secret", "generated once, kept in the database, shared by every process")
    : ok("secret", `from ${source}`)
)

const gate = Effect.map(FeatureGate, (service) => {
  const state = service.state()
  switch (state._tag) {
    case "Open":
      return ok("license", "FEATURE_GATE is open: no license is needed")
    case "Licensed":
      return ok("license", `valid until ${new Date(state.expiresAt).toISOString()}`)
    case "Off":
      return bad(
        "license",
        `product analytics is off: ${state.why}`,
        "`bun run footfall settings set license-token …` takes a new license without a restart."
      )
  }
})

const geo = Effect.gen(function* () {
  const service = yield* Geo
  const loading = Effect.sync(() => service.state()).pipe(
    Effect.delay("20 millis"),
    Effect.repeat({ while: (state) => state._tag === "Loading" }),
    Effect.timeoutOption(GEO_TIMEOUT)
  )
  const state = Option.getOrElse(yield* loading, () => service.state())
  if (state._tag === "On") {
    return state.reloadError === null
      ? ok("geo", `${state.databaseType} of ${state.builtAt.toISOString().slice(0, 10)}, ${state.path}`)
      : note("geo", state.reloadError, "The database loaded before stays in use.")
  }
  return note(
    "geo",
    `no countries from addresses: ${state.why}`,
    "Give a MaxMind file such as GeoLite2-City.mmdb as GEOLITE_DB_PATH, or rely on a CDN's location headers."
  )
})

const proxy = (settings: Settings["Service"]) =>
  Effect.map(Policy, ({ trust, clientIpHeader }) => {
    const header = clientIpHeader === null ? "" : `; ${clientIpHeader} comes first`
    const found = `TRUST_PROXY is ${settings.get(TRUST_PROXY)}: ${trustInWords(trust)}${header}`
    return trust._tag === "All"
      ? note("proxies", found, "Name your proxies' addresses, or anyone can claim to be anyone.")
      : ok("proxies", found)
  })

const siteCount = Effect.gen(function* () {
  const all = yield* (yield* Sites).list({ archived: false })
  return all.length === 0
    ? note("sites", "none yet", 'Make one: `bun run footfall sites create --name "My site" --domain example.com`.')
    : ok("sites", `${plural(all.length, "live site")}`)
}).pipe(Effect.catch(({ message }) => Effect.succeed(bad("sites", message))))

const keyCount = Effect.gen(function* () {
  const all = yield* (yield* AdminKeys).list
  return all.length === 0
    ? note(
        "keys",
        "none yet",
        "The first start of `bun run full` makes one and prints it, or `bun run footfall keys create` does."
      )
    : ok("keys", `${plural(all.length, "API key")}`)
}).pipe(Effect.catch(({ message }) => Effect.succeed(bad("keys", message))))

const storing = Effect.gen(function* () {
  const service = yield* Storage
  const { backend } = yield* service.status
  return yield* Effect.match(service.ping, {
    onSuccess: () => ok("storage", `${backend} can be written to`),
    onFailure: ({ message }) => bad("storage", `${backend} can't be written to: ${message}`)
  })
})

const asking = Effect.flatMap(QueryEngine, (engine) =>
  Effect.match(probe(engine), {
    onSuccess: () => ok("warehouse", `${engine.dialect} answers questions`),
    onFailure: ({ message, reason }) =>
      reason === "Missing"
        ? note("warehouse", message)
        : bad("warehouse", `${engine.dialect} does not answer questions: ${firstLine(message)}`)
  })
)

/** The instance as this machine sees it: what is configured, what answers, what is left to do. */
const inspect: Effect.Effect<ReadonlyArray<Check>, never, Scope.Scope> = Effect.gen(function* () {
  const checks: Array<Check> = [...environment()]
  const opened = yield* Effect.result(database)
  if (Result.isFailure(opened)) return [...checks, opened.failure]
  const base = opened.success.context
  checks.push(opened.success.check)
  const schema = yield* Effect.provideContext(migrations, base)
  checks.push(schema.check)
  if (!schema.migrated) return checks

  const instance = yield* Effect.result(
    built(
      "settings",
      pgSettings({ environment: process.env, refuseWrong: false }).pipe(
        Layer.provideMerge(changes),
        Layer.provideMerge(Layer.succeedContext(base))
      )
    )
  )
  if (Result.isFailure(instance)) return [...checks, instance.failure]
  checks.push(...(yield* Effect.provideContext(settings, instance.success)))
  const shared = Layer.succeedContext(instance.success)

  /** One service after the other, so that one that can't be had does not hide the rest. */
  const checkWith = <A, R>(
    about: string,
    layer: Layer.Layer<A, StartError, R>,
    check: Effect.Effect<Check, never, A>
  ) =>
    Effect.flatMap(built(about, layer), (context) => Effect.provideContext(check, context)).pipe(
      Effect.match({
        onSuccess: (found) => checks.push(found),
        // What two checks need is told once.
        onFailure: (found) => checks.some((check) => check.found === found.found) || checks.push(found)
      })
    )
  const policy = Policy.layer.pipe(Layer.provide(pgAppSecret))
  yield* checkWith("secret", pgAppSecret.pipe(Layer.provide(shared)), secret)
  yield* checkWith("license", LicenseGate.layer.pipe(Layer.provide(shared)), gate)
  yield* checkWith("proxies", policy.pipe(Layer.provide(shared)), proxy(Context.get(instance.success, Settings)))
  yield* checkWith("geo", MaxmindGeo.layer.pipe(Layer.provide(shared)), geo)
  yield* checkWith("storage", storage.pipe(Layer.provide(shared)), storing)
  yield* checkWith("warehouse", warehouse.pipe(Layer.provide(shared)), asking)
  yield* checkWith("sites", pgSites.pipe(Layer.provide(shared)), siteCount)
  yield* checkWith("keys", pgAdminKeys.pipe(Layer.provide(shared)), keyCount)
  yield* checkWith(
    "client",
    Layer.mergeAll(policy, MaxmindGeo.layer).pipe(Layer.provide(shared)),
    Effect.map(explainClient({ headers: new Headers(), peer: "127.0.0.1" }), ({ ip, why }) =>
      ok("client", `an event straight from this machine would be from ${ip}. ${why}`)
    )
  )
  return checks
})

/** The running server as it is reached from here. */
const server = Effect.fnUntraced(function* (address: string, token: string | undefined) {
  const health = yield* Effect.result(ask(`${address}/api/health`))
  if (Result.isFailure(health)) {
    return [
      note(
        "server",
        `${address} can't be reached: ${health.failure}`,
        "Start it with `bun run full`, or give its address as --url."
      )
    ]
  }
  const { status } = health.success
  const checks = [
    status === 200
      ? ok("server", `${address} is ready: events are stored`)
      : bad(
          "server",
          `${address} answers ${status} to /api/health`,
          status === 503 ? "It can't store now; its log tells why." : "Is that address Footfall's?"
        )
  ]
  if (token === undefined) return checks
  const asked = yield* Effect.result(
    ask(`${address}${PREFIX}/client`, { headers: { authorization: `Bearer ${token}` } })
  )
  if (Result.isFailure(asked)) return [...checks, bad("client", `${address} can't be reached: ${asked.failure}`)]
  const { body } = asked.success
  if (asked.success.status !== 200 || !Predicate.isObject(body)) {
    const detail = Predicate.hasProperty(body, "detail") ? body.detail : "no explanation"
    return [
      ...checks,
      bad(
        "client",
        `the server refused to tell: ${detail}`,
        "Is the key right? `bun run footfall keys create` makes one."
      )
    ]
  }
  const { ip, country, region, city, why } = body as Record<string, string | null>
  const place = [city, region, country].filter((part) => part !== null).join(", ")
  return [
    ...checks,
    ok("client", `an event sent from here would be from ${ip ?? "nowhere"}${place === "" ? "" : ` (${place})`}. ${why}`)
  ]
})

const MARKS = { ok: "ok  ", note: "note", bad: "BAD " } as const

export const doctor = Command.make(
  "doctor",
  { url, key, json },
  Effect.fn(function* (flags) {
    const token = apiKey(flags.key)
    const here = yield* Effect.scoped(inspect)
    const there = yield* server(yield* serverUrl(flags.url), token)
    const asked = there.some(({ about }) => about === "client")
    const checks = [...here.filter(({ about }) => !(asked && about === "client")), ...there]
    const broken = checks.filter(({ state }) => state === "bad").length
    if (flags.json) yield* printJson({ healthy: broken === 0, checks })
    else {
      const width = Math.max(...checks.map(({ about }) => about.length))
      const lines = checks.flatMap(({ about, state, found, todo }) => [
        `${MARKS[state]}  ${about.padEnd(width)}  ${found}`,
        ...(todo === undefined ? [] : [`${" ".repeat(width + 8)}-> ${todo}`])
      ])
      const verdict = broken === 0 ? "Nothing is broken." : `${plural(broken, "thing")} to put right.`
      yield* Console.log([...lines, "", verdict].join("\n"))
    }
    if (broken > 0) return yield* new CommandFailure({ message: `${plural(broken, "thing")} to put right` })
  })
).pipe(
  Command.withDescription(
    "Look at everything: what is configured and from where, what answers, what is left to do; exit code 1 when something is broken"
  ),
  Command.withExamples([
    { command: "bun run footfall doctor", description: "This machine's instance" },
    {
      command: "bun run footfall doctor --url https://stats.example.com --key ff_…",
      description: "And how a server sees the requests from here"
    }
  ])
)
