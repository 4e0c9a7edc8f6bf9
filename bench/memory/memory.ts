import type { Case } from "../support/Bench.ts"
import { measure } from "../support/load.ts"
import { megabytes } from "../support/report.ts"

export const memory: Case = async ({ short, website, startCollector, startFloor }) => {
  const events = short ? 50_000 : 1_000_000
  const rss = async (start: typeof startFloor) => {
    await using server = await start()
    await measure(server, { website, requests: events, warmUpSeconds: 0 })
    return server.memory()
  }
  const floor = await rss(startFloor)
  const ours = await rss(startCollector)
  return [
    {
      what: `resident memory after ${events.toLocaleString("en")} events, at most ${megabytes(ours.peak)}`,
      value: megabytes(ours.now),
      against: `raw Bun.serve: ${megabytes(floor.now)}`,
      ratio: ours.now / floor.now,
      goal: "under 200 MB",
      met: ours.now < 200e6
    }
  ]
}
