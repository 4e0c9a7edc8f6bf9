import { Result, Schema, SchemaTransformation } from "effect"
import { parseTimezone } from "../domain/fieldIssues.ts"
import { type AddressMatcher, parseAddressRanges } from "../lib/ipAddress.ts"
import { type ProxyTrust, parseProxyTrust } from "./proxyTrust.ts"

/** A kind of value: how it is decoded, and the accepted values in words. Both come from one definition, so they cannot disagree. */
export interface SettingType<A> {
  readonly schema: Schema.Codec<A, string>
  readonly accepts: string
  /** Whether an empty value means something: off, or no entries. */
  readonly acceptsEmpty?: true
  /** How a default of this type is shown. */
  readonly defaultText?: (value: A) => string | undefined
  /** What is wrong with a rejected value, without the value itself: for secrets. */
  readonly describe?: (value: string) => string
}

const NonEmpty = Schema.String.check(Schema.isMinLength(1))

/** A string that matches `pattern`, or any that is not empty. */
export const string = (accepts: string, pattern?: RegExp): SettingType<string> => ({
  accepts,
  schema: pattern === undefined ? NonEmpty : Schema.String.check(Schema.isPattern(pattern))
})

/** A string of at least `length` characters. */
export const longString = (length: number, accepts: string): SettingType<string> => ({
  accepts: `${length} characters or more${accepts}`,
  describe: (value) => `has ${value.length} characters`,
  schema: Schema.String.check(Schema.isMinLength(length))
})

export interface IntegerRange {
  readonly min: number
  readonly max: number
  readonly unit?: "bytes" | "seconds" | "minutes" | "days"
}

/** A whole number from `min` to `max`. */
export const integer = ({ max, min, unit }: IntegerRange): SettingType<number> => ({
  accepts: `a whole number${unit === undefined ? "" : ` of ${unit}`} from ${min} to ${max}`,
  schema: Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: min, maximum: max }))
})

/** A number above 0. */
export const positiveNumber: SettingType<number> = {
  accepts: "a number above 0",
  schema: Schema.FiniteFromString.check(Schema.isGreaterThan(0))
}

/** One of a few names. */
export const oneOf = <const Names extends readonly [string, ...Array<string>]>(
  ...names: Names
): SettingType<Names[number]> => {
  const quoted = names.map((name) => `\`${name}\``)
  return {
    accepts: quoted.length === 1 ? quoted[0]! : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`,
    schema: Schema.Literals(names)
  }
}

const ON: ReadonlySet<string> = new Set(["on", "true", "1", "yes"])
const OFF: ReadonlySet<string> = new Set(["off", "false", "0", "no"])

/** On or off, in the usual words. */
export const onOff: SettingType<boolean> = {
  accepts: "`on` or `off` (or `true`, `1`, `yes`, `false`, `0`, `no`)",
  defaultText: (on) => (on ? "on" : "off"),
  schema: Schema.String.check(
    Schema.makeFilter((value) => ON.has(value.toLowerCase()) || OFF.has(value.toLowerCase()))
  ).pipe(
    Schema.decodeTo(
      Schema.Boolean,
      SchemaTransformation.transform({
        decode: (value) => ON.has(value.toLowerCase()),
        encode: (on) => (on ? "on" : "off")
      })
    )
  )
}

/** A switch that is off by default, as Umami's are: an empty value leaves it off. */
export const flag: SettingType<boolean> = { ...onOff, acceptsEmpty: true }

/** Whether a day exists: `Date` takes the 31st of February for the 2nd of March. */
const isDay = (value: string): boolean => {
  const time = /^\d{4}-\d\d-\d\d$/.test(value) ? Date.parse(value) : Number.NaN
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value)
}

/** A day of the calendar, such as `2000-01-01`. */
export const day: SettingType<string> = {
  accepts: "a day such as `2000-01-01`",
  schema: Schema.String.check(Schema.makeFilter((value) => isDay(value)))
}

/** The name of a time zone, such as `Europe/Berlin`. */
export const timezone: SettingType<string> = {
  accepts: "an IANA time zone such as `Europe/Berlin`",
  schema: Schema.String.check(Schema.makeFilter((value) => Result.isSuccess(parseTimezone(value))))
}

export const httpUrl: SettingType<string> = {
  accepts: "an http(s) URL",
  schema: Schema.String.check(
    Schema.makeFilter((value) => {
      const url = URL.parse(value)
      return url !== null && (url.protocol === "http:" || url.protocol === "https:")
    })
  )
}

const CommaList: Schema.Codec<ReadonlyArray<string>, string> = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Array(Schema.String),
    SchemaTransformation.transform({
      decode: (value): ReadonlyArray<string> =>
        value
          .split(",")
          .map((part) => part.trim())
          .filter((part) => part !== ""),
      encode: (parts: ReadonlyArray<string>) => parts.join(",")
    })
  )
)

/** A comma-separated list whose entries all match `pattern`. */
export const listOf = (accepts: string, pattern: RegExp): SettingType<ReadonlyArray<string>> => ({
  accepts,
  acceptsEmpty: true,
  defaultText: (entries) => (entries.length === 0 ? "none" : undefined),
  schema: CommaList.check(Schema.makeFilter((entries) => entries.every((entry) => pattern.test(entry))))
})

/** A decoded value that remembers how it was written. */
interface Written {
  readonly written: string
}

/** A codec for values that are parsed once and shown as they were written. */
const parsed = <A extends Written>(parse: (value: string) => Result.Result<A, string>): Schema.Codec<A, string> =>
  Schema.String.check(Schema.makeFilter((value) => Result.isSuccess(parse(value)))).pipe(
    Schema.decodeTo(
      Schema.declare((value): value is A => typeof value === "object" && value !== null && "written" in value),
      SchemaTransformation.transform({
        decode: (value: string) => Result.getOrThrow(parse(value)),
        encode: ({ written }: A) => written
      })
    )
  )

/** A list of addresses and CIDRs. */
export interface AddressList extends Written {
  readonly includes: AddressMatcher
}

const parseAddressList = (value: string): Result.Result<AddressList, string> => {
  const entries = value.split(",").flatMap((part) => part.trim() || [])
  return Result.map(parseAddressRanges(entries, { names: false }), (includes) => ({
    written: entries.join(","),
    includes
  }))
}

export const NO_ADDRESSES: AddressList = { written: "", includes: () => false }

export const addressList: SettingType<AddressList> = {
  acceptsEmpty: true,
  accepts: "addresses and CIDRs, comma-separated",
  defaultText: ({ written }) => (written === "" ? "none" : undefined),
  schema: parsed(parseAddressList)
}

export interface TrustSetting extends Written {
  readonly trust: ProxyTrust
}

const parseTrustSetting = (value: string): Result.Result<TrustSetting, string> =>
  Result.map(parseProxyTrust(value), (trust) => ({ written: value, trust }))

/** The value of `TRUST_PROXY` that is written `private`. */
export const TRUST_PRIVATE: TrustSetting = Result.getOrThrow(parseTrustSetting("private"))

export const proxyTrust: SettingType<TrustSetting> = {
  accepts:
    "`none`, `all`, a number of hops, or a comma-separated list of addresses, CIDRs, `private`, `loopback`, `linklocal`, `uniquelocal`",
  defaultText: ({ written }) => written,
  schema: parsed(parseTrustSetting)
}

/** The same values, with null as a default: not configured. */
export const optional = <A>(type: SettingType<A>): SettingType<A | null> => ({
  accepts: type.accepts,
  schema: type.schema as Schema.Codec<A | null, string>,
  defaultText: (value) => (value === null ? "none" : type.defaultText?.(value)),
  ...(type.describe === undefined ? {} : { describe: type.describe })
})
