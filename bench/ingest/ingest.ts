import type { Case } from "../support/Bench.ts"
import { measure } from "../support/load.ts"
import { median, milliseconds, perSecond } from "../support/report.ts"

/** Connections per process; with two workers, each gets as many. */
const CONNECTIONS = 256

export const ingest: Case = async ({ short, website, startCollector, startFloor }) => {
  const time = short ? { warmUpSeconds: 2, seconds: 3 } : { warmUpSeconds: 5, seconds: 10 }
  const rounds = short ? 1 : 3
  const one = { ...time, website, connections: CONNECTIONS }
  await using floor = await startFloor()
  const collector = await startCollector()
  // Taking turns, so that a noisy neighbor affects both.
  const floors: Array<number> = []
  const singles: Array<number> = []
  const p99 = { full: [] as Array<number>, half: [] as Array<number> }
  for (let round = 0; round < rounds; round++) {
    floors.push((await measure(floor, one)).okPerSecond)
    const measured = await measure(collector, one)
    singles.push(measured.okPerSecond)
    p99.full.push(measured.latency.p99)
    const half = await measure(collector, { ...one, ratePerSecond: measured.okPerSecond / 2 })
    p99.half.push(half.latency.p99)
  }
  await collector[Symbol.asyncDispose]()
  const pairs: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    await using workers = await startCollector({ WORKERS: "2" })
    pairs.push((await measure(workers, { ...one, connections: 2 * CONNECTIONS })).okPerSecond)
  }
  const [floorRate, single, pair] = [median(floors), median(singles), median(pairs)]
  const ofFloor = single / floorRate
  return [
    {
      what: "durable ingest, one process, 256 connections",
      value: perSecond(single),
      against: `raw Bun.serve: ${perSecond(floorRate)}`,
      ratio: ofFloor,
      goal: "at least 0.35, aim 0.45",
      met: ofFloor >= 0.35
    },
    {
      what: "the same with two workers, 512 connections",
      value: perSecond(pair),
      against: `one process: ${perSecond(single)}`,
      ratio: pair / single,
      goal: "at least 1.3 on two cores",
      met: pair / single >= 1.3
    },
    {
      what: "p99 at half of the maximum rate",
      value: milliseconds(median(p99.half)),
      against: `at the maximum: ${milliseconds(median(p99.full))}`,
      ratio: median(p99.half) / median(p99.full),
      goal: "under 15 ms",
      met: median(p99.half) < 15
    }
  ]
}
