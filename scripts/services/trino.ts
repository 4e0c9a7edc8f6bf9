import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ensure, maven, needProgram, runLogged } from "./fetch.ts"
import { findJava } from "./java.ts"
import { endpoint, inServices, port } from "./place.ts"
import type { Service } from "./Service.ts"
import { jdbcCatalog, restCatalog } from "./trinoCatalogs.ts"
import { VERSIONS } from "./versions.ts"

const FOLDER = inServices("trino")
/** Programs are kept apart from configuration and data: they are fetched once, the rest is rewritten. */
const PROGRAMS = inServices("trino-server")
const ETC = join(FOLDER, "etc")
const ANSWER_MS = 2_000

const properties = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("")

const JVM = [
  "-server",
  "-Xmx1536M",
  "-XX:+UseG1GC",
  "-XX:+ExplicitGCInvokesConcurrent",
  "-XX:+ExitOnOutOfMemoryError",
  "-XX:-OmitStackTraceInFastThrow",
  "-XX:ReservedCodeCacheSize=256M",
  "-Djdk.attach.allowAttachSelf=true",
  "-Dfile.encoding=UTF-8",
  "--enable-native-access=ALL-UNNAMED",
  "--sun-misc-unsafe-memory-access=allow"
]

const config = (): Readonly<Record<string, string>> => ({
  coordinator: "true",
  "node-scheduler.include-coordinator": "true",
  "http-server.http.port": String(port("trino")),
  "discovery.uri": endpoint.trino(),
  "query.max-memory": "512MB",
  "query.max-memory-per-node": "512MB",
  "memory.heap-headroom-per-node": "256MB",
  // Tests create their own catalogs with CREATE CATALOG; those are gone after a restart.
  "catalog.management": "dynamic",
  "catalog.store": "file"
})

const install = (): Promise<void> =>
  ensure(
    "trino",
    PROGRAMS,
    `trino-server ${VERSIONS.trino}: lib, iceberg`,
    `fetching io.trino:trino-server:${VERSIONS.trino} (821 MB, of which the Iceberg part is kept) from Maven`,
    async () => {
      const tar = needProgram("trino", "tar", "Install tar.")
      const artifact = `io.trino:trino-server:${VERSIONS.trino}:tar.gz`
      const copy = ["dependency:copy", `-Dartifact=${artifact}`, `-DoutputDirectory=${PROGRAMS}`]
      try {
        await runLogged("trino", maven("trino", copy), { into: PROGRAMS })
        // Maven's own copy, which is just as large.
        rmSync(inServices("m2", "io", "trino", "trino-server"), { recursive: true, force: true })
        const archive = join(PROGRAMS, `trino-server-${VERSIONS.trino}.tar.gz`)
        // As a whole, since files of one plugin are hard links to another's.
        const unpack = [tar, "-xzf", archive, "-C", PROGRAMS, "--strip-components=1"]
        await runLogged("trino", unpack, { into: PROGRAMS })
        const plugins = join(PROGRAMS, "plugin")
        for (const plugin of readdirSync(plugins)) {
          if (plugin !== "iceberg") rmSync(join(plugins, plugin), { recursive: true })
        }
      } finally {
        rmSync(join(PROGRAMS, `trino-server-${VERSIONS.trino}.tar.gz`), { force: true })
      }
    }
  )

/** Trino with only its Iceberg connector: it starts in 8 s instead of 18. */
export const trino: Service = {
  name: "trino",
  what: "Trino with the catalogs `lake` (jdbc, in Postgres) and `sw` (SeaweedFS's REST catalog)",
  version: VERSIONS.trino,
  ports: ["trino"],
  dataFolder: join(FOLDER, "data"),
  fetch: async () => {
    findJava("trino", VERSIONS.trinoJava)
    await install()
  },
  prepare: async () => {
    const java = findJava("trino", VERSIONS.trinoJava)
    await install()
    const catalogs = join(ETC, "catalog")
    rmSync(catalogs, { recursive: true, force: true })
    mkdirSync(catalogs, { recursive: true, mode: 0o700 })
    for (const [name, values] of [
      ["lake", jdbcCatalog()],
      ["sw", restCatalog()]
    ] as const) {
      writeFileSync(join(catalogs, `${name}.properties`), properties({ "connector.name": "iceberg", ...values }))
    }
    writeFileSync(join(ETC, "config.properties"), properties(config()))
    // At its default level it logs every setting of every catalog.
    writeFileSync(
      join(ETC, "log.properties"),
      properties({ "io.trino": "WARN", "io.airlift": "WARN", Bootstrap: "WARN" })
    )
    // Paths in its configuration are relative to where it is started, and `plugin` has to be there.
    const node: Readonly<Record<string, string>> = {
      "node.environment": "footfall",
      "node.id": "footfall-1",
      "node.data-dir": join(FOLDER, "data"),
      "node.bind-ip": "127.0.0.1",
      "node.internal-address": "127.0.0.1",
      "catalog.config-dir": catalogs,
      config: join(ETC, "config.properties"),
      "log.levels-file": join(ETC, "log.properties")
    }
    return {
      program: java,
      args: [
        ...JVM,
        "-cp",
        join(PROGRAMS, "lib", "*"),
        ...Object.entries(node).map(([name, value]) => `-D${name}=${value}`),
        "io.trino.server.TrinoServer"
      ],
      cwd: PROGRAMS,
      env: { PATH: "/usr/bin:/bin", HOME: FOLDER, TZ: "UTC" }
    }
  },
  isReady: () =>
    fetch(`${endpoint.trino()}/v1/info`, { signal: AbortSignal.timeout(ANSWER_MS) })
      .then(async (answer) => answer.ok && (await answer.text()).includes('"starting":false'))
      .catch(() => false),
  startMs: 90_000,
  stopSignal: "SIGTERM",
  stopMs: 20_000
}
