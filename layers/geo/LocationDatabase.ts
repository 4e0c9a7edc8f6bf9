import { isIP } from "node:net"
import { Predicate, Result } from "effect"
import { type CityResponse, type CountryResponse, Reader } from "maxmind"
import { LruCache } from "../../src/lib/LruCache.ts"
import type { Location } from "../../src/ports/Geo.ts"

/** Cached lookups: about 3 MB, enough for most visitors of a busy hour. */
const CACHED_ADDRESSES = 20_000
/** Cached decoded records (countries, regions, cities); many addresses share one. */
const CACHED_RECORDS = 2_000
/** The metadata starts within the last 128 KiB of the file (MaxMind DB File Format 2.0, "Database Metadata"). */
const MAX_METADATA_BYTES = 128 * 1024
const METADATA_MARKER = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1")
/** Zero bytes between the search tree and the records (ibid., "Data Section Separator"). */
const SEPARATOR_BYTES = 16
/** Networks looked up to validate a file: this takes a few milliseconds and covers every network of a small file. */
const SAMPLED_NETWORKS = 256
/** Addresses across the IPv4 space looked up as well, to detect a file that is damaged in the middle. */
const SAMPLED_ADDRESSES = 256
const SAMPLED_IPV6 = ["2001:4860:4860::8888", "2606:4700:4700::1111", "2a00:1450:4009::1", "::1", "ffff::"]

/** An open MaxMind DB file with countries and, depending on its type, regions and cities. */
export interface LocationDatabase {
  /** From the file's metadata, such as `GeoLite2-City`. */
  readonly databaseType: string
  readonly builtAt: Date
  /** Null for an address outside every network, an invalid address and an unreadable record. */
  readonly locate: (ip: string) => Location | null
  /** Number of lookups that found an unreadable record. */
  readonly unreadableRecords: () => number
}

type GeoRecord = Partial<CityResponse & CountryResponse>

const nonEmptyString = (value: unknown): string | null => (Predicate.isString(value) && value !== "" ? value : null)

/** As Umami 3.1 does: the country or else the registered country, the first subdivision, the English city name. */
const toLocation = (record: GeoRecord): Location => {
  const country = nonEmptyString(record.country?.iso_code) ?? nonEmptyString(record.registered_country?.iso_code)
  const subdivision = nonEmptyString(record.subdivisions?.[0]?.iso_code)
  return {
    country,
    region: country !== null && subdivision !== null ? `${country}-${subdivision}` : null,
    city: nonEmptyString(record.city?.names?.en)
  }
}

const formatIpv4 = (address: number): string =>
  `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`

/**
 * Counts the records with a country among a sample: the file's first networks and addresses across its whole range. Throws what
 * the reader throws.
 */
const countCountries = (reader: Reader<GeoRecord>): number => {
  let countries = 0
  const count = (record: unknown) => {
    if (record === null) return
    if (!Predicate.isObject(record)) throw new Error("a record is not a map")
    if (toLocation(record).country !== null) countries++
  }
  let next = 0
  for (let sampled = 0; sampled < SAMPLED_NETWORKS && next < 2 ** 32; sampled++) {
    const [record, prefix] = reader.getWithPrefixLength(formatIpv4(next))
    count(record)
    const size = 2 ** (32 - prefix)
    next = (Math.floor(next / size) + 1) * size
  }
  // Multiples of the golden ratio cover the range evenly and are the same in every run.
  for (let index = 1; index <= SAMPLED_ADDRESSES; index++) count(reader.get(formatIpv4(Math.imul(index, 0x9e3779b1))))
  if (reader.metadata.ipVersion === 6) for (const ip of SAMPLED_IPV6) count(reader.get(ip))
  return countries
}

/** Parses and validates a file's bytes. Fails with the end of a sentence about the file, such as `is empty`. */
export const openLocationDatabase = (bytes: Buffer): Result.Result<LocationDatabase, string> => {
  if (bytes.length === 0) return Result.fail("is empty")
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return Result.fail("is compressed with gzip; unpack it first")
  const marker = bytes.subarray(-MAX_METADATA_BYTES).lastIndexOf(METADATA_MARKER)
  if (marker === -1) return Result.fail("is not a MaxMind DB file, or its end is missing")
  const metadataAt = Math.max(0, bytes.length - MAX_METADATA_BYTES) + marker
  try {
    const reader = new Reader<GeoRecord>(bytes, { cache: new LruCache<object>(CACHED_RECORDS) })
    const { metadata } = reader
    if (metadata.binaryFormatMajorVersion !== 2) {
      return Result.fail(`has format version ${metadata.binaryFormatMajorVersion}; version 2 is needed`)
    }
    if (!(metadata.nodeCount > 0) || !Predicate.isString(metadata.databaseType))
      return Result.fail("has damaged metadata")
    const treeEnd = metadata.searchTreeSize
    const separator = bytes.subarray(treeEnd, treeEnd + SEPARATOR_BYTES)
    if (treeEnd + SEPARATOR_BYTES > metadataAt || separator.some((byte) => byte !== 0)) {
      return Result.fail("is damaged: its search tree does not fit its metadata")
    }
    if (countCountries(reader) === 0) {
      return Result.fail(
        `is of type ${metadata.databaseType} and holds no countries; a City or Country database is needed`
      )
    }
    const cache = new LruCache<Location | null>(CACHED_ADDRESSES)
    let unreadableRecords = 0
    const lookUp = (ip: string): Location | null => {
      const family = isIP(ip)
      if (family === 0 || (family === 6 && metadata.ipVersion === 4)) return null
      try {
        const record = reader.get(ip)
        return record === null ? null : toLocation(record)
      } catch {
        unreadableRecords++
        return null
      }
    }
    return Result.succeed({
      databaseType: metadata.databaseType,
      builtAt: metadata.buildEpoch,
      unreadableRecords: () => unreadableRecords,
      locate: (ip) => {
        const cached = cache.get(ip)
        if (cached !== undefined) return cached
        const location = lookUp(ip)
        cache.set(ip, location)
        return location
      }
    })
  } catch (error) {
    return Result.fail(`is damaged: ${error instanceof Error ? error.message : String(error)}`)
  }
}
