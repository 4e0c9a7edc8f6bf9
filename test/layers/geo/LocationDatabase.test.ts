import { describe, expect, test } from "bun:test"
import { Result } from "effect"
import fc from "fast-check"
import { openLocationDatabase } from "../../../layers/geo/LocationDatabase.ts"
import { cityDatabase, LONDON, mmdb } from "../../support/collect/mmdb.ts"

const opened = (bytes: Buffer) => Result.getOrThrow(openLocationDatabase(bytes))
const rejection = (bytes: Buffer) => {
  const result = openLocationDatabase(bytes)
  return Result.isFailure(result) ? result.failure : "accepted"
}

describe("locating an address", () => {
  const database = opened(cityDatabase())
  const cases: ReadonlyArray<readonly [why: string, ip: string, expected: unknown]> = [
    ["Umami's example address", "81.2.69.142", { country: "GB", region: "GB-ENG", city: "Boxford" }],
    ["another address of the same network", "81.2.69.143", { country: "GB", region: "GB-ENG", city: "Boxford" }],
    ["the address after the network", "81.2.69.144", null],
    ["an IPv6 address whose city has no English name", "2a02:d601::1", { country: "DE", region: "DE-BE", city: null }],
    ["an IPv6 address outside every network", "2a03::1", null],
    [
      "an address with only a registered country and a city",
      "89.160.20.113",
      { country: "SE", region: null, city: "Linköping" }
    ],
    ["an address whose record has no country", "216.160.83.57", { country: null, region: null, city: null }],
    ["an empty string", "", null],
    ["a host name", "example.com", null],
    ["an address with a port", "81.2.69.142:80", null],
    ["an address in brackets", "[2a02:d601::1]", null]
  ]
  for (const [why, ip, expected] of cases) {
    test(`${why} is located as ${JSON.stringify(expected)}, from the file and from the cache`, () => {
      expect(database.locate(ip)).toEqual(expected as never)
      expect(database.locate(ip)).toEqual(expected as never)
    })
  }

  test("the country takes precedence over the registered country", () => {
    expect(database.locate("81.2.69.142")?.country).toBe("GB")
  })

  for (const recordSize of [24, 28, 32] as const) {
    for (const ipVersion of [4, 6] as const) {
      test(`records of ${recordSize} bits in an IPv${ipVersion} tree are read`, () => {
        const file = opened(mmdb({ networks: [["81.2.69.142/31", LONDON]], recordSize, ipVersion }))
        expect(file.locate("81.2.69.142")?.city).toBe("Boxford")
        expect(file.locate("2a02:d601::1")).toBeNull()
      })
    }
  }

  test("a country database yields only countries", () => {
    const file = opened(
      mmdb({ databaseType: "GeoLite2-Country", networks: [["1.0.0.0/8", { country: { iso_code: "AU" } }]] })
    )
    expect(file.locate("1.2.3.4")).toEqual({ country: "AU", region: null, city: null })
    expect(file.databaseType).toBe("GeoLite2-Country")
    expect(file.builtAt).toEqual(new Date(1_790_000_000_000))
  })
})

describe("opening an unusable file", () => {
  const city = cityDatabase()
  const asn = mmdb({
    databaseType: "GeoLite2-ASN",
    networks: [["1.0.0.0/8", { autonomous_system_organization: "Example" }]]
  })
  const treeDamaged = Buffer.from(city)
  treeDamaged.fill(0xff, treeDamaged.indexOf(Buffer.alloc(16)), treeDamaged.indexOf(Buffer.alloc(16)) + 16)
  const recordsDamaged = Buffer.from(city)
  recordsDamaged.fill(0x00, city.indexOf("iso_code") - 40, city.indexOf("iso_code") + 40)
  const cases: ReadonlyArray<readonly [why: string, bytes: Buffer, message: string | RegExp]> = [
    ["an empty file", Buffer.alloc(0), "is empty"],
    ["a gzipped file", Buffer.from(Bun.gzipSync(new Uint8Array(city))), "is compressed with gzip; unpack it first"],
    ["an HTML file", Buffer.from("<html>404</html>".repeat(20_000)), "is not a MaxMind DB file, or its end is missing"],
    ["a truncated file", city.subarray(0, city.length / 2), "is not a MaxMind DB file, or its end is missing"],
    [
      "a file truncated in its metadata",
      city.subarray(0, city.length - 20),
      /^(is damaged|has damaged metadata|has format)/
    ],
    ["a file without its beginning", city.subarray(400), /^is damaged/],
    [
      "a database of another type",
      asn,
      "is of type GeoLite2-ASN and holds no countries; a City or Country database is needed"
    ],
    [
      "a file with records that are not maps",
      mmdb({ networks: [["1.0.0.0/8", "AU"]] }),
      "is damaged: a record is not a map"
    ],
    [
      "a file of a later format version",
      mmdb({ networks: [["1.0.0.0/8", LONDON]], formatVersion: 3 }),
      "has format version 3; version 2 is needed"
    ],
    ["a file with a damaged search tree", treeDamaged, "is damaged: its search tree does not fit its metadata"],
    ["a file with damaged records", recordsDamaged, /^is damaged/]
  ]
  for (const [why, bytes, message] of cases) {
    test(`${why} is rejected with a reason`, () => {
      if (typeof message === "string") expect(rejection(bytes)).toBe(message)
      else expect(rejection(bytes)).toMatch(message)
    })
  }

  test("opening and looking up never throw, for any changed or missing bytes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(city.length - 1), fc.nat(255)), { maxLength: 20 }),
        fc.nat(city.length),
        fc.ipV4(),
        fc.ipV6(),
        (changes, end, v4, v6) => {
          const bytes = Buffer.from(city)
          for (const [at, byte] of changes) bytes[at] = byte
          for (const candidate of [bytes, bytes.subarray(0, end)]) {
            const result = openLocationDatabase(candidate)
            if (Result.isFailure(result)) continue
            for (const ip of [v4, v6, "81.2.69.142", "2a02:d601::1"]) result.success.locate(ip)
          }
        }
      ),
      { numRuns: 300 }
    )
  })
})
