import { isIP } from "node:net"
import { Predicate, Result } from "effect"
import { type CityResponse, type CountryResponse, Reader } from "maxmind"
import { LruCache } from "../../src/lib/LruCache.ts"
import type { Location } from "../../src/ports/Geo.ts"

/** Addresses whose answer is remembered: about 3 MB, and most of a busy hour's visitors. */
const RECENT_ADDRESSES = 20_000
/** Decoded records (countries, regions, cities) that are remembered; each is shared by many addresses. */
const RECENT_RECORDS = 2_000
/** The metadata stand in the last 128 KiB of the file (MaxMind DB File Format 2.0, "Database Metadata"). */
const METADATA_REACH = 128 * 1024
const METADATA_MARKER = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1")
/** Zero bytes between the search tree and the records (same specification, "Data Section Separator"). */
const SEPARATOR_BYTES = 16
/** Networks tried before a file is believed: a few milliseconds, and every network of a small file. */
const TRIED_NETWORKS = 256
/** Addresses all over the IPv4 space, tried as well: a file cut or damaged in the middle shows here. */
const TRIED_ADDRESSES = 256
const TRIED_IPV6 = ["2001:4860:4860::8888", "2606:4700:4700::1111", "2a00:1450:4009::1", "::1", "ffff::"]

/** An opened MaxMind DB file that holds countries, and perhaps regions and cities. */
export interface LocationDatabase {
  /** As the file calls itself: `GeoLite2-City`. */
  readonly databaseType: string
  readonly builtAt: Date
  /** Null when the address is in no network of the file, is no address, or its record can't be read. */
  readonly locate: (ip: string) => Location | null
  /** How many lookups met a record that can't be read. */
  readonly unreadable: () => number
}

type GeoRecord = Partial<CityResponse & CountryResponse>

const text = (value: unknown): string | null => (Predicate.isString(value) && value !== "" ? value : null)

/** The contract's section 1.7: the country else the registered one, the first subdivision, the English city name. */
const toLocation = (record: GeoRecord): Location => {
  const country = text(record.country?.iso_code) ?? text(record.registered_country?.iso_code)
  const subdivision = text(record.subdivisions?.[0]?.iso_code)
  return {
    country,
    region: country !== null && subdivision !== null ? `${country}-${subdivision}` : null,
    city: text(record.city?.names?.en)
  }
}

const dotted = (address: number): string =>
  `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`

/** Looks up the first networks of the file and addresses spread over it; throws what the reader throws. */
const countCountries = (reader: Reader<GeoRecord>): number => {
  let countries = 0
  const count = (record: unknown) => {
    if (record === null) return
    if (!Predicate.isObject(record)) throw new Error("a record is not a map")
    if (toLocation(record).country !== null) countries++
  }
  let next = 0
  for (let tried = 0; tried < TRIED_NETWORKS && next < 2 ** 32; tried++) {
    const [record, prefix] = reader.getWithPrefixLength(dotted(next))
    count(record)
    const size = 2 ** (32 - prefix)
    next = (Math.floor(next / size) + 1) * size
  }
  // The golden ratio's multiples are spread evenly, and are the same at each try.
  for (let tried = 1; tried <= TRIED_ADDRESSES; tried++) count(reader.get(dotted(Math.imul(tried, 0x9e3779b1))))
  if (reader.metadata.ipVersion === 6) for (const ip of TRIED_IPV6) count(reader.get(ip))
  return countries
}

/** Opens a file's bytes. Fails with what is wrong with them, as the end of a sentence about the file. */
export const openLocationDatabase = (bytes: Buffer): Result.Result<LocationDatabase, string> => {
  if (bytes.length === 0) return Result.fail("is empty")
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return Result.fail("is compressed with gzip; unpack it first")
  const marker = bytes.subarray(-METADATA_REACH).lastIndexOf(METADATA_MARKER)
  if (marker === -1) return Result.fail("is not a MaxMind DB file, or its end is missing")
  const metadataAt = Math.max(0, bytes.length - METADATA_REACH) + marker
  try {
    const reader = new Reader<GeoRecord>(bytes, { cache: new LruCache<object>(RECENT_RECORDS) })
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
    const recent = new LruCache<Location | null>(RECENT_ADDRESSES)
    let unreadable = 0
    const look = (ip: string): Location | null => {
      const family = isIP(ip)
      if (family === 0 || (family === 6 && metadata.ipVersion === 4)) return null
      try {
        const record = reader.get(ip)
        return record === null ? null : toLocation(record)
      } catch {
        unreadable++
        return null
      }
    }
    return Result.succeed({
      databaseType: metadata.databaseType,
      builtAt: metadata.buildEpoch,
      unreadable: () => unreadable,
      locate: (ip) => {
        const known = recent.get(ip)
        if (known !== undefined) return known
        const location = look(ip)
        recent.set(ip, location)
        return location
      }
    })
  } catch (error) {
    return Result.fail(`is damaged: ${error instanceof Error ? error.message : String(error)}`)
  }
}
