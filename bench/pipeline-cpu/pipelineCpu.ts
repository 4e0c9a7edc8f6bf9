import type { Case } from "../support/Bench.ts"
import { measure } from "../support/load.ts"
import { median, microseconds } from "../support/report.ts"
import { startServer } from "../support/server.ts"

export const pipelineCpu: Case = async ({ short, website, databaseUrl, startFloor }) => {
  const time = short ? { warmUpSeconds: 2, seconds: 3 } : { warmUpSeconds: 5, seconds: 10 }
  const rounds = short ? 1 : 3
  await using floor = await startFloor()
  await using collector = await startServer({ run: ["bench/null-collector.ts"], env: { DATABASE_URL: databaseUrl } })
  const floors: Array<number> = []
  const ours: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    floors.push((await measure(floor, { ...time, website })).cpuPerRequest)
    ours.push((await measure(collector, { ...time, website })).cpuPerRequest)
  }
  const ratio = median(ours) / median(floors)
  return [
    {
      what: "CPU per event, whole pipeline, nothing stored",
      value: microseconds(median(ours)),
      against: `raw Bun.serve: ${microseconds(median(floors))}`,
      ratio,
      goal: "at most 2.2",
      met: ratio <= 2.2
    }
  ]
}
