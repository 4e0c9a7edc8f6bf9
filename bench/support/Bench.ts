import type { Row } from "./report.ts"
import { HOSTNAME, ROOT, type Server, startServer } from "./server.ts"

/** What a case has to work with. */
export interface Bench {
  /** Run for a few seconds, only to check that the case works; the numbers mean little. */
  readonly short: boolean
  /** Id of a registered site. */
  readonly website: string
  readonly databaseUrl: string
  /** Starts a collector that stores in Postgres. */
  readonly startCollector: (env?: Readonly<Record<string, string>>) => Promise<Server>
  /** Starts the raw `Bun.serve` of floor.ts. */
  readonly startFloor: () => Promise<Server>
}

export type Case = (bench: Bench) => Promise<ReadonlyArray<Row>>

/** Collectors and floor on `databaseUrl`, with a site created on the command line. */
export const makeBench = async (databaseUrl: string, short: boolean): Promise<Bench> => ({
  short,
  databaseUrl,
  website: await createSite(databaseUrl),
  startCollector: (env = {}) => startServer({ run: ["src/collector.ts"], env: { DATABASE_URL: databaseUrl, ...env } }),
  startFloor: () => startServer({ run: ["bench/floor.ts"] })
})

const createSite = async (databaseUrl: string): Promise<string> => {
  const child = Bun.spawn([process.execPath, "src/cli.ts", "sites", "create", "--name", "Benchmark", "--json"], {
    cwd: ROOT,
    env: { ...process.env, DATABASE_URL: databaseUrl },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const output = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error("creating the site failed")
  return (JSON.parse(output) as { readonly id: string }).id
}

/** One event that is stored, sent with `fetch`. */
export const sendOne =
  (website: string) =>
  (origin: string): Promise<Response> =>
    fetch(`${origin}/api/send`, {
      method: "POST",
      headers: { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0" },
      body: JSON.stringify({ type: "event", payload: { website, hostname: HOSTNAME, url: "/" } })
    })
