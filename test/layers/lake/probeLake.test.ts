import { expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { LakeConfig } from "../../../layers/lake/config.ts"
import { ensureTable } from "../../../layers/lake/ensureTable.ts"
import { openLake } from "../../../layers/lake/openLake.ts"
import { probeLake } from "../../../layers/lake/probeLake.ts"
import { LAKE_TABLES } from "../../../layers/lake/schema.ts"
import { temporaryFolder } from "../../support/postgres/postgres.ts"

setDefaultTimeout(180_000)

const configOf = (folder: string, changes: Partial<LakeConfig> = {}): LakeConfig => ({
  catalogType: "hadoop",
  catalogName: "footfall",
  namespace: ["product_analytics"],
  warehouse: `file://${folder}`,
  catalogUri: null,
  catalogCredentials: null,
  oauth2ServerUri: null,
  oauth2Scope: "catalog",
  signingName: "execute-api",
  s3Endpoint: null,
  region: null,
  keys: null,
  databaseUrl: "postgres://nobody@127.0.0.1:1/none",
  ...changes
})

const probed = (config: LakeConfig) => Effect.runPromise(Effect.scoped(probeLake(config)))
const states = async (config: LakeConfig) => (await probed(config)).map(({ part, state }) => `${part} ${state}`)

const createTables = (config: LakeConfig) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { catalog, namespace } = yield* openLake(config)
        for (const table of LAKE_TABLES) yield* ensureTable(catalog, { namespace, name: table.name }, table)
      })
    )
  )

test("a new lake's folder and catalog are found in order, its tables missing, and the check leaves no file behind", async () => {
  const folder = temporaryFolder()
  expect(await states(configOf(folder))).toEqual([
    "folder ok",
    "catalog ok",
    "pa_events note",
    "pa_sessions note",
    "pa_session_data note"
  ])
  expect(readdirSync(folder, { recursive: true })).toEqual([])
})

test("a table that cannot be read or written is reported with the reason, and the others with theirs", async () => {
  const folder = temporaryFolder()
  const config = configOf(folder)
  await createTables(config)
  const metadata = join(folder, "product_analytics", "pa_events", "metadata", "v1.metadata.json")
  writeFileSync(metadata, readFileSync(metadata, "utf8").replace('"format-version":2', '"format-version":4'))
  const sessions = join(folder, "product_analytics", "pa_sessions", "metadata", "v1.metadata.json")
  const renamed = readFileSync(sessions, "utf8").replace(
    '"name":"browser","required":false,"type":"string"',
    '"name":"browser","required":false,"type":"int"'
  )
  writeFileSync(sessions, renamed)

  const found = await probed(config)
  expect(found.map(({ part, state }) => `${part} ${state}`)).toEqual([
    "folder ok",
    "catalog ok",
    "pa_events bad",
    "pa_sessions bad",
    "pa_session_data ok"
  ])
  expect(found[2]?.message).toContain(
    "has format version 4; only versions 2 and 3 are supported. A table cannot be downgraded."
  )
  expect(found[3]?.message).toContain('column browser has the type "int"')
})

test("an unreachable catalog does not hide that the folder works, nor an unwritable folder that the catalog does", async () => {
  const folder = temporaryFolder()
  const [place, catalog] = await probed(configOf(folder, { catalogType: "jdbc" }))
  expect([place?.state, catalog?.part, catalog?.state]).toEqual(["ok", "catalog", "bad"])
  writeFileSync(join(folder, "file"), "not a folder")
  expect(await states(configOf(join(folder, "file", "lake")))).toContain("folder bad")
})
