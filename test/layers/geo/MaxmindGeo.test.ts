import { afterEach, beforeEach, expect, test } from "bun:test"
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Duration, Effect, Logger } from "effect"
import { makeMaxmindGeo } from "../../../layers/geo/MaxmindGeo.ts"
import type { Geo } from "../../../src/ports/Geo.ts"
import { cityDatabase, LONDON, mmdb } from "../../support/collect/mmdb.ts"
import { eventually } from "../../support/eventually.ts"

let folder = ""
let file = ""
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "footfall-geo-"))
  file = join(folder, "City.mmdb")
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const london = cityDatabase()
const paris = mmdb({
  networks: [["81.2.69.142/31", { ...LONDON, country: { iso_code: "FR" }, city: { names: { en: "Paris" } } }]],
  buildEpoch: 1_800_000_000
})

interface Running {
  readonly geo: Geo["Service"]
  readonly logged: ReadonlyArray<string>
  readonly cityIs: (city: string | undefined) => Effect.Effect<void>
  readonly says: (sentence: string) => Effect.Effect<void>
}

/** Runs `use` with a service that polls its file every few milliseconds. */
const running = (
  use: (running: Running) => Generator<Effect.Effect<unknown>, void, never>,
  path: string | null = file
) => {
  const logged: Array<string> = []
  return Effect.gen(function* () {
    const geo = yield* makeMaxmindGeo({ path, pollInterval: Duration.millis(5), quietPeriod: Duration.millis(5) })
    yield* Effect.gen(() =>
      use({
        geo,
        logged,
        cityIs: (city) => eventually(`city ${city}`, () => geo.locate("81.2.69.142")?.city === city),
        says: (sentence) => eventually(sentence, () => logged.includes(sentence))
      })
    )
  }).pipe(
    Effect.scoped,
    Effect.provide(Logger.layer([Logger.make(({ message }) => logged.push(String(message)))])),
    Effect.runPromise
  )
}

const write = (bytes: Uint8Array, path = file) => Effect.promise(() => writeFile(path, bytes))

test("locations are off until the file is loaded, and on afterwards", async () => {
  await writeFile(file, london)
  await running(function* ({ geo, cityIs, says }) {
    expect(geo.locate("81.2.69.142")).toBeNull()
    expect(geo.state()).toEqual({ _tag: "Loading", why: `${file} is being loaded.` })
    yield* cityIs("Boxford")
    expect(geo.state()).toEqual({
      _tag: "On",
      path: file,
      databaseType: "GeoLite2-City",
      builtAt: new Date(1_790_000_000_000),
      reloadError: null
    })
    yield* says(`Locations come from ${file} (GeoLite2-City of 2026-09-21T14:13:20.000Z).`)
  })
})

test("a configured file that is missing is logged and used once it exists, even in a folder created later", () =>
  running(
    function* ({ geo, cityIs, says }) {
      const path = join(folder, "later", "City.mmdb")
      yield* says(`GEOLITE_DB_PATH: ${path} does not exist. Locations are off.`)
      expect(geo.state()).toEqual({ _tag: "Off", why: `GEOLITE_DB_PATH: ${path} does not exist.` })
      yield* Effect.promise(() => mkdir(join(folder, "later")))
      yield* write(london, path)
      yield* cityIs("Boxford")
    },
    join(folder, "later", "City.mmdb")
  ))

test("without a configured file and without Umami's default file, locations are off and nothing is logged", () =>
  running(function* ({ geo, logged }) {
    yield* eventually("checked the default path", () => geo.state()._tag === "Off")
    expect(geo.state()).toEqual({
      _tag: "Off",
      why: "GEOLITE_DB_PATH is not set, and ./geo/GeoLite2-City.mmdb does not exist."
    })
    expect(logged).toEqual([])
  }, null))

const broken: ReadonlyArray<readonly [why: string, bytes: Buffer, what: string]> = [
  ["corrupt", Buffer.from("not a database"), "is not a MaxMind DB file, or its end is missing"],
  ["truncated", london.subarray(0, 500), "is not a MaxMind DB file, or its end is missing"],
  ["empty", Buffer.alloc(0), "is empty"],
  [
    "of another kind",
    mmdb({ databaseType: "GeoLite2-ASN", networks: [["1.0.0.0/8", { autonomous_system_number: { u32: 64_496 } }]] }),
    "is of type GeoLite2-ASN and holds no countries; a City or Country database is needed"
  ]
]
for (const [why, bytes, what] of broken) {
  test(`a file that is ${why} at start is rejected, and a valid one that replaces it is used`, async () => {
    await writeFile(file, bytes)
    await running(function* ({ geo, cityIs, says }) {
      yield* says(`GEOLITE_DB_PATH: ${file} ${what}. Locations are off.`)
      expect(geo.state()).toEqual({ _tag: "Off", why: `GEOLITE_DB_PATH: ${file} ${what}.` })
      expect(geo.locate("81.2.69.142")).toBeNull()
      yield* write(london)
      yield* cityIs("Boxford")
    })
  })

  test(`a file that becomes ${why} is rejected, the previous database stays in use, and a valid file takes over`, async () => {
    await writeFile(file, london)
    await running(function* ({ geo, cityIs, says }) {
      yield* cityIs("Boxford")
      yield* write(bytes)
      yield* says(`GEOLITE_DB_PATH: ${file} ${what}. The database of 2026-09-21T14:13:20.000Z stays in use.`)
      expect(geo.locate("81.2.69.142")?.city).toBe("Boxford")
      expect(geo.state()).toMatchObject({ _tag: "On", reloadError: `GEOLITE_DB_PATH: ${file} ${what}.` })
      yield* write(paris)
      yield* cityIs("Paris")
      expect(geo.state()).toMatchObject({ _tag: "On", builtAt: new Date(1_800_000_000_000), reloadError: null })
    })
  })
}

const replacements: ReadonlyArray<readonly [how: string, replace: () => Promise<unknown>]> = [
  ["written in place", () => writeFile(file, paris)],
  ["renamed over", () => writeFile(`${file}.new`, paris).then(() => rename(`${file}.new`, file))],
  [
    "swapped in by a symlink",
    async () => {
      await writeFile(join(folder, "2026-10.mmdb"), paris)
      await symlink(join(folder, "2026-10.mmdb"), `${file}.link`)
      await rename(`${file}.link`, file)
    }
  ]
]
for (const [how, replace] of replacements) {
  test(`a new file that is ${how} takes over while running, also for cached addresses`, async () => {
    await writeFile(file, london)
    await running(function* ({ cityIs }) {
      yield* cityIs("Boxford")
      yield* Effect.promise(replace)
      yield* cityIs("Paris")
    })
  })
}

test("a deleted file leaves the database in use and is logged once", async () => {
  await writeFile(file, london)
  await running(function* ({ geo, logged, cityIs, says }) {
    yield* cityIs("Boxford")
    yield* Effect.promise(() => unlink(file))
    yield* says(`GEOLITE_DB_PATH: ${file} does not exist. The database of 2026-09-21T14:13:20.000Z stays in use.`)
    expect(geo.locate("81.2.69.142")?.city).toBe("Boxford")
    expect(logged.filter((line) => line.includes("does not exist"))).toHaveLength(1)
  })
})

test("a folder at the file's path is rejected", () =>
  running(function* ({ says }) {
    yield* says(`GEOLITE_DB_PATH: ${folder} can't be read (EISDIR). Locations are off.`)
  }, folder))
