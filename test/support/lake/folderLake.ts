import { PostgresServer } from "../postgresServer.ts"
import { StepProxy } from "../proxy/StepProxy.ts"
import { LakeUnderTest, lakeSettings } from "./LakeUnderTest.ts"

/** The statement that swaps a table's metadata, or makes it: no other of the catalog's names such a file. */
export const swapOf = (table: string): RegExp => new RegExp(`/${table}/metadata/\\d+-[^/]*\\.metadata\\.json`)

/** A lake in a folder, with its catalog in a Postgres that may be killed, behind a proxy. The app database is another one. */
export const openFolderLake = async (
  all: AsyncDisposableStack,
  environment: (folder: string) => Readonly<Record<string, string>> = () => ({})
) => {
  const [app, server] = await Promise.all([PostgresServer.start(), PostgresServer.start()])
  all.use(app)
  all.use(server)
  const catalog = all.use(await StepProxy.before(server.port))
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
