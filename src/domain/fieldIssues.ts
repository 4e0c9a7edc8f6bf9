import { Result, Schema } from "effect"
import { isStorable } from "../lib/storable.ts"
import { isZone } from "../lib/timeZone.ts"

/** Why a value was rejected. `field` is a key of the input (`domains/2` for an item), `message` a whole sentence. */
export const FieldIssue = Schema.Struct({ field: Schema.String, message: Schema.String })
export type FieldIssue = typeof FieldIssue.Type

/** The value in its normal form, or whole sentences that say why it was rejected. */
export type Parsed<Value> = Result.Result<Value, ReadonlyArray<FieldIssue>>

export const reject = (field: string, message: string) => Result.fail([{ field, message }])

/** In characters: the column's size. */
export const MAX_NAME_LENGTH = 100

/** A name that people read: one line, not blank, at most `MAX_NAME_LENGTH` characters. `subject`: what messages call it. */
export const parseName = (given: string, subject = "The name"): Parsed<string> => {
  const name = given.trim()
  if (name === "") return reject("name", `${subject} must not be blank.`)
  if (name.length > MAX_NAME_LENGTH)
    return reject("name", `${subject} must have at most ${MAX_NAME_LENGTH} characters.`)
  if (/\p{Cc}/u.test(name)) return reject("name", `${subject} must not contain control characters.`)
  if (!isStorable(name)) return reject("name", `${subject} must not contain half of a surrogate pair.`)
  return Result.succeed(name)
}

/** The name of a time zone. */
export const parseTimezone = (given: string): Parsed<string> => {
  const timezone = given.trim()
  return isZone(timezone)
    ? Result.succeed(timezone)
    : reject(
        "timezone",
        `${JSON.stringify(timezone.slice(0, 100))} is not an IANA time zone such as \`Europe/Berlin\` or \`UTC\`.`
      )
}

type Defined<A> = { readonly [Key in keyof A]?: Exclude<A[Key], undefined> }

/** Parses the values of an input one by one and keeps every issue, so that all are reported together. */
export class Acceptance {
  readonly #issues: Array<FieldIssue> = []

  /** The value in its normal form; undefined if it is absent or was rejected. */
  accept<Given, Value>(given: Given | undefined, parse: (given: Given) => Parsed<Value>): Value | undefined {
    if (given === undefined) return undefined
    const parsed = parse(given)
    if (Result.isSuccess(parsed)) return parsed.success
    this.#issues.push(...parsed.failure)
    return undefined
  }

  /** The values without the absent ones, or every issue. */
  of<A extends object>(values: A): Result.Result<Defined<A>, ReadonlyArray<FieldIssue>> {
    if (this.#issues.length > 0) return Result.fail(this.#issues)
    return Result.succeed(
      Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<A>
    )
  }
}
