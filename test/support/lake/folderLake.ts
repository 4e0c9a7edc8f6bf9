import { PostgresServer } from "../postgres/postgresServer.ts"
import { FaultProxy } from "../proxy/FaultProxy.ts"
import { LakeUnderTest, lakeSettings } from "./LakeUnderTest.ts"

/** The statement that swaps or creates a table's metadata: the only one of the catalog that names such a file. */
export const swapOf = (table: string): RegExp => new RegExp(`/${table}-[^/]*/metadata/\\d+-[^/]*\\.metadata\\.json`)

/** A lake in a folder, with its catalog behind a proxy in a Postgres that can be killed. The app database is a different one. */
export const openFolderLake = async (
  all: AsyncDisposableStack,
  environment: (folder: string) => Readonly<Record<string, string>> = () => ({})
) => {
  const [app, server] = await Promise.all([PostgresServer.start(), PostgresServer.start()])
  all.use(app)
  all.use(server)
  const catalog = all.use(await FaultProxy.before(server.port))
  const lake = all.use(
    await LakeUnderTest.open(app.url, {
      environment: (folder) => ({
        ...lakeSettings({ CATALOG_URI: server.url.replace(`:${server.port}/`, `:${catalog.port}/`) }),
        ...environment(folder)
      }),
      direct: lakeSettings({ CATALOG_URI: server.url })
    })
  )
  return { lake, catalog, server }
}
