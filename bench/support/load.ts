import { join } from "node:path"
import { runPromptly } from "../../layers/inprocess/scheduling.ts"
import { type LoadConfig, type LoadResult, MEASURING } from "../load/config.ts"
import { HOSTNAME, ROOT, type Server } from "./server.ts"

export interface Measured extends LoadResult {
  /** CPU of the server during the measurement, in microseconds per response with 200. */
  readonly cpuPerRequest: number
}

type Asked = Partial<LoadConfig> & Pick<LoadConfig, "website">

/** Runs the load generator in its own process against a server. Fails if any response was not a 200. */
export const measure = async (server: Server, asked: Asked): Promise<Measured> => {
  const config: LoadConfig = {
    hostname: HOSTNAME,
    port: server.port,
    path: "/api/send",
    connections: 256,
    warmUpSeconds: 2,
    seconds: 5,
    requests: null,
    ratePerSecond: null,
    batchItems: null,
    ...asked
  }
  const generator = Bun.spawn([process.execPath, join(ROOT, "bench", "load", "generator.ts"), JSON.stringify(config)], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  // At a rate, it stands for clients elsewhere, which do not wait for this machine's cores.
  if (config.ratePerSecond !== null) runPromptly(generator.pid)
  let cpuBefore = 0
  let result: LoadResult | null = null
  for await (const line of lines(generator.stdout)) {
    if (line === MEASURING) cpuBefore = server.cpuSeconds()
    else result = JSON.parse(line) as LoadResult
  }
  const cpu = server.cpuSeconds() - cpuBefore
  if (result === null) throw new Error(`the load generator exited with ${await generator.exited} and without a result`)
  const ok = result.statuses["200"] ?? 0
  const answers = Object.values(result.statuses).reduce((total, count) => total + count, 0)
  if (ok === 0 || ok !== answers || result.lost > 0) {
    throw new Error(`not every event was answered with 200: ${JSON.stringify(result.statuses)}, ${result.lost} lost`)
  }
  return { ...result, cpuPerRequest: (cpu * 1e6) / ok }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = ""
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true })
    const complete = rest.split("\n")
    rest = complete.pop() ?? ""
    yield* complete.filter((line) => line !== "")
  }
}
