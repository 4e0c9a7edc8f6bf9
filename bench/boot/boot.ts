import { type Case, sendOne } from "../support/Bench.ts"
import { median, milliseconds } from "../support/report.ts"
import { ROOT, startServer } from "../support/server.ts"

const SOURCE = "src/collector.ts"
const BUNDLE = "dist/collector.js"
const FLOOR = "bench/floor.ts"

export const boot: Case = async ({ short, website, databaseUrl }) => {
  const starts = short ? 3 : 15
  const built = Bun.spawnSync([process.execPath, "scripts/build.ts"], {
    cwd: ROOT,
    stdout: "ignore",
    stderr: "inherit"
  })
  if (!built.success) throw new Error("building the bundle failed")
  const times: Record<string, Array<number>> = { [FLOOR]: [], [SOURCE]: [], [BUNDLE]: [] }
  // One more start than is counted: the first one reads cold files.
  for (let start = 0; start <= starts; start++) {
    for (const [entry, measured] of Object.entries(times)) {
      await using server = await startServer({ run: [entry], env: { DATABASE_URL: databaseUrl } }, sendOne(website))
      if (start > 0) measured.push(server.firstAnswerMs)
    }
  }
  const floor = median(times[FLOOR]!)
  return [
    { entry: SOURCE, name: "from source", most: 300 },
    { entry: BUNDLE, name: "as a bundle", most: 150 }
  ].map(({ entry, name, most }) => {
    const time = median(times[entry]!)
    return {
      what: `start to the first stored event, ${name}`,
      value: milliseconds(time),
      against: `raw Bun.serve: ${milliseconds(floor)}`,
      ratio: time / floor,
      goal: `within ${most} ms`,
      met: time <= most
    }
  })
}
