import { expect, test } from "bun:test"
import { renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Redacted } from "effect"
import { footfall } from "../cli/support.ts"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { cityDatabase, mmdb } from "../support/collect/mmdb.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase, temporaryFolder } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

test("a damaged geo database turns locations off and is reported, and a damaged replacement leaves the previous one in use", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const database = all.use(await connect(url))
  const path = join(temporaryFolder(), "geo.mmdb")
  const environment = { ...(await prepareInstance(url)), GEOLITE_DB_PATH: path }
  /** As a download does: written under a temporary name, then moved. */
  const replace = (bytes: Uint8Array) => {
    writeFileSync(`${path}.new`, bytes)
    renameSync(`${path}.new`, path)
  }
  const good = cityDatabase()
  const cut = good.subarray(0, good.length / 2)
  replace(cut)

  const collector = all.use(await Footfall.start({ environment }))
  /** Sends an event from an address; returns the country of its new session. */
  const countryOf = async (ip: string): Promise<string | null> => {
    const response = await fetch(`${collector.url}/api/send`, {
      method: "POST",
      headers: { "user-agent": FIREFOX },
      body: JSON.stringify({ type: "event", payload: { website: SITE, url: "/", ip } })
    })
    expect(response.status).toBe(200)
    const { sessionId } = (await response.json()) as { readonly sessionId: string }
    const [session] = await database.query<{ readonly country: string | null }>(
      "SELECT country FROM product_analytics_session WHERE session_id = $1::uuid",
      [sessionId]
    )
    return session!.country
  }

  const why = `GEOLITE_DB_PATH: ${path} is not a MaxMind DB file, or its end is missing.`
  await collector.prints(`${why} Locations are off.`)
  expect(await countryOf("81.2.69.142")).toBeNull()
  const doctor = await footfall(["doctor", "--url", collector.url], environment)
  expect(doctor.out).toContain(`no locations from IP addresses: ${why}`)
  expect(doctor.code).toBe(0)

  replace(good)
  await collector.prints(`Locations come from ${path}`)
  expect(await countryOf("89.160.20.112")).toBe("SE")

  replace(cut)
  await collector.prints(`${why} The database of`)
  // An address that is not cached.
  expect(await countryOf("81.2.69.143")).toBe("GB")

  replace(mmdb({ networks: [["81.2.69.0/24", { country: { iso_code: "NL" } }]], buildEpoch: 1_800_000_000 }))
  await collector.prints("(GeoLite2-City of 2027-01-15T08:00:00.000Z)")
  expect(await countryOf("81.2.69.144")).toBe("NL")
}, 180_000)
