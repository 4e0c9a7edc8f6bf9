import type { Case } from "../support/Bench.ts"
import { measure } from "../support/load.ts"
import { median, milliseconds, perSecond } from "../support/report.ts"

const ITEMS = 1_000
/** Batches in flight: one is decoded while another commits. */
const CONNECTIONS = 4

export const batch: Case = async ({ short, website, startCollector }) => {
  const time = short ? { warmUpSeconds: 2, seconds: 3 } : { warmUpSeconds: 5, seconds: 10 }
  const rounds = short ? 1 : 3
  await using collector = await startCollector()
  const singles: Array<number> = []
  const batches: Array<number> = []
  const p99: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    singles.push((await measure(collector, { ...time, website })).okPerSecond)
    const measured = await measure(collector, {
      ...time,
      website,
      path: "/api/batch",
      connections: CONNECTIONS,
      batchItems: ITEMS
    })
    batches.push(measured.okPerSecond * ITEMS)
    p99.push(measured.latency.p99)
  }
  const ratio = median(batches) / median(singles)
  return [
    {
      what: `batches of 1,000 events, p99 ${milliseconds(median(p99))} per batch`,
      value: perSecond(median(batches)),
      against: `single sends: ${perSecond(median(singles))}`,
      ratio,
      goal: "at least 2",
      met: ratio >= 2
    }
  ]
}
