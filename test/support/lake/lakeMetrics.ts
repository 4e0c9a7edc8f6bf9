import type { Footfall } from "../process/footfallProcess.ts"

/** The sum of a metric over some collectors. */
export const metricOf = async (name: string, collectors: ReadonlyArray<Footfall>): Promise<number> => {
  const values = await Promise.all(
    collectors.map(async ({ url }) => {
      const exposition = await (await fetch(`${url}/metrics`)).text()
      return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "m").exec(exposition)?.[1] ?? 0)
    })
  )
  return values.reduce((sum, value) => sum + value, 0)
}
