import { join } from "node:path"
import { until } from "../eventually.ts"
import { temporaryFolder } from "../postgres/postgres.ts"
import { Program } from "./Program.ts"

const ROOT = join(import.meta.dir, "../../..")
/** A process that is not healthy within this time never will be; its database may have to recover first. */
const HEALTHY_MS = 30_000
/** The storage reports its own state within two seconds, whatever its server does. */
const HEALTH_MS = 4_500

export interface FootfallOptions {
  readonly entry?: "collector" | "full"
  /** Settings; without a port, a free one is picked. */
  readonly environment?: Readonly<Record<string, string>>
}

/** A separate `bun src/collector.ts` or `bun src/full.ts` that listens. */
export class Footfall extends Program {
  /** `http://127.0.0.1:PORT` */
  url = ""

  private constructor({ entry = "collector", environment = {} }: FootfallOptions) {
    super([process.execPath, join(ROOT, "src", `${entry}.ts`)], {
      cwd: ROOT,
      environment: {
        HOST: "127.0.0.1",
        PORT: "0",
        // A server with a database elsewhere keeps only its replica in it.
        ...(entry === "full" && environment["DATABASE_URL"] !== undefined ? { DATA_DIR: temporaryFolder() } : {}),
        ...environment
      }
    })
  }

  /** Starts a process without waiting. */
  static spawn(options: FootfallOptions): Footfall {
    return new Footfall(options)
  }

  /** Starts a process and resumes when it listens. */
  static async start(options: FootfallOptions): Promise<Footfall> {
    const footfall = new Footfall(options)
    try {
      const port = await footfall.prints(/(?:Collecting|listens?) on http:\/\/localhost:(\d+)/)
      footfall.url = `http://127.0.0.1:${port}`
      return footfall
    } catch (error) {
      await footfall.kill()
      throw error
    }
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  override prints(what: RegExp | string, withinMs?: number): Promise<string> {
    return super.prints(typeof what === "string" ? new RegExp(RegExp.escape(what)) : what, withinMs)
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL")
    await this.ended()
  }

  /** The status of `/api/health`, on a separate connection; fails without a response in time. */
  async health(): Promise<number> {
    const response = await fetch(`${this.url}/api/health`, { keepalive: false, signal: AbortSignal.timeout(HEALTH_MS) })
    await response.arrayBuffer()
    return response.status
  }

  becomesHealthy(): Promise<void> {
    return until(
      () => `healthy again: ${this.output}`,
      async () => (await this.health()) === 200,
      HEALTHY_MS
    )
  }
}
