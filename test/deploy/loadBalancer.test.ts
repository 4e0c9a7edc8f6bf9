import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Redacted } from "effect"
import { freePort } from "../../bench/support/server.ts"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { expectHonest, Load } from "../support/collect/load.ts"
import { cityDatabase } from "../support/collect/mmdb.ts"
import { until } from "../support/eventually.ts"
import { notTested } from "../support/notTested.ts"
import { connect, type Database, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase, temporaryFolder } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { Program } from "../support/process/Program.ts"

const EXAMPLES = join(import.meta.dir, "../../docs/examples")

/** An address in the geo database: trusting it would show. */
const KNOWN = "81.2.69.142"

/** The example with this test's ports; everything else is unchanged. */
const example = (file: string, replacements: ReadonlyArray<readonly [string, string]>): string =>
  replacements.reduce(
    (text, [from, to]) => {
      expect(text).toContain(from)
      return text.replaceAll(from, to)
    },
    readFileSync(join(EXAMPLES, file), "utf8")
  )

/** The collector settings that the example's comments state. */
const settingsOf = (file: string): Readonly<Record<string, string>> => {
  const [line = ""] = /^# .*bun run collector/m.exec(readFileSync(join(EXAMPLES, file), "utf8")) ?? []
  const { PORT: _, ...settings } = Object.fromEntries(
    [...line.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name!, value!])
  )
  expect(Object.keys(settings)).toContain("CLIENT_IP_HEADER")
  return settings
}

interface Proxy {
  readonly name: string
  readonly file: string
  readonly start: (folder: string, port: number, collectors: readonly [number, number]) => Program
}

const PROXIES: ReadonlyArray<Proxy> = [
  {
    name: "nginx",
    file: "nginx.conf",
    start: (folder, port, [first, second]) => {
      const config = example("nginx.conf", [
        ["127.0.0.1:3001", `127.0.0.1:${first}`],
        ["127.0.0.1:3002", `127.0.0.1:${second}`],
        ["listen 80;", `listen 127.0.0.1:${port};`]
      ])
      const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder};`)
      writeFileSync(
        join(folder, "nginx.conf"),
        config.replace("http {", `http {\naccess_log off;\n${paths.join("\n")}`)
      )
      const globals = `daemon off; pid ${folder}/nginx.pid; error_log stderr warn;`
      return new Program(["nginx", "-p", folder, "-e", "stderr", "-c", join(folder, "nginx.conf"), "-g", globals])
    }
  },
  {
    name: "caddy",
    file: "Caddyfile",
    start: (folder, port, [first, second]) => {
      const config = example("Caddyfile", [
        ["127.0.0.1:3001", `127.0.0.1:${first}`],
        ["127.0.0.1:3002", `127.0.0.1:${second}`],
        ["stats.example.com {", `http://:${port} {\n\tbind 127.0.0.1`]
      ])
      writeFileSync(join(folder, "Caddyfile"), `{\n\tadmin off\n}\n${config}`)
      return new Program(["caddy", "run", "--config", join(folder, "Caddyfile"), "--adapter", "caddyfile"], {
        environment: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
      })
    }
  }
]

for (const proxy of PROXIES) {
  if (Bun.which(proxy.name) === null) {
    notTested(`The example for ${proxy.name}: it is not installed.`)
    continue
  }
  describe(`behind ${proxy.name} as the example configures it`, () => {
    const all = new AsyncDisposableStack()
    let environment: Readonly<Record<string, string>>
    let collectors: Array<Footfall>
    let database: Database
    let origin: string
    let port: number

    const send = async (headers: Record<string, string>): Promise<string> => {
      const response = await fetch(`${origin}/api/send`, {
        method: "POST",
        headers: { "user-agent": FIREFOX, ...headers },
        body: JSON.stringify({ type: "event", payload: { website: SITE, url: "/" } })
      })
      expect(response.status).toBe(200)
      return ((await response.json()) as { readonly sessionId: string }).sessionId
    }

    beforeAll(async () => {
      const url = Redacted.value(await freshDatabase())
      const folder = temporaryFolder()
      mkdirSync(join(folder, "proxy"), { mode: 0o777 })
      writeFileSync(join(folder, "geo.mmdb"), cityDatabase())
      environment = {
        ...(await prepareInstance(url)),
        GEOLITE_DB_PATH: join(folder, "geo.mmdb"),
        ...settingsOf(proxy.file)
      }
      database = all.use(await connect(url))
      collectors = [all.use(await Footfall.start({ environment })), all.use(await Footfall.start({ environment }))]
      port = freePort()
      origin = `http://127.0.0.1:${port}`
      const balancer = all.use(proxy.start(join(folder, "proxy"), port, [collectors[0]!.port, collectors[1]!.port]))
      // nginx's workers outlive a killed master; asked to end, it stops them too.
      all.defer(async () => {
        balancer.signal("SIGTERM")
        await balancer.ended()
      })
      await until("the proxy", async () => (await fetch(`${origin}/api/health`).catch(() => null))?.status === 200)
    }, 180_000)
    afterAll(() => all.disposeAsync())

    test(`${proxy.name}: an address that a client claims in any header is ignored`, async () => {
      const plain = await send({})
      for (const header of ["X-Real-IP", "X-Forwarded-For", "True-Client-IP", "CF-Connecting-IP", "Forwarded"]) {
        const value = header === "Forwarded" ? `for=${KNOWN}` : KNOWN
        expect([header, await send({ [header]: value })]).toEqual([header, plain])
      }
      const sessions = await database.query<{ readonly country: string | null }>(
        "SELECT country FROM product_analytics_session"
      )
      expect(sessions).toEqual([{ country: null }])
      await database.query("DELETE FROM product_analytics_event")
    }, 180_000)

    test(`${proxy.name}: /metrics is blocked`, async () => {
      expect((await fetch(`${origin}/metrics`)).status).toBe(404)
    })

    test(`${proxy.name}: a graceful stop under load loses no event, and the collector that replaces it is found`, async () => {
      await using load = new Load({ port })
      await load.stores(200)
      const stopping = collectors[0]!
      stopping.signal("SIGTERM")
      expect(await stopping.ended()).toBe(0)
      await load.stores(200)
      const next = await Footfall.start({ environment: { ...environment, PORT: String(stopping.port) } })
      collectors[0] = all.use(next)
      await until("traffic to the new one", async () => {
        const metrics = await (await fetch(`${next.url}/metrics`)).text()
        return Number(/^footfall_accepted_total\{type="event"\} (\d+)$/m.exec(metrics)?.[1]) > 0
      })
      await load.stop()
      await expectHonest(database, load)
    }, 180_000)

    test(`${proxy.name}: killing a collector under load loses no acknowledged event`, async () => {
      await using load = new Load({ port })
      await load.stores(200)
      await collectors[1]!.kill()
      await load.stores(200)
      await load.stop()
      const rows = await database.query<{ readonly name: string }>(
        "SELECT event_name AS name FROM product_analytics_event WHERE event_name IS NOT NULL"
      )
      const names = new Set(rows.map(({ name }) => name))
      expect([...load.stored].filter((name) => !names.has(name))).toEqual([])
    }, 180_000)
  })
}
