import { Schema } from "effect"
import { isId } from "../../../domain/people.ts"

/** Values that the documentation shows as examples. */
export const EXAMPLE = {
  siteId: "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f",
  keyId: "94488cc1-2cd1-499b-83fc-bd7afd4cbcad",
  instant: "2026-11-23T19:11:54.895Z",
  snippet:
    '<script defer src="https://cloud.umami.is/script.js" data-website-id="3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f" data-host-url="https://stats.example.com"></script>'
} as const

export const Instant = Schema.String.annotate({
  description: "ISO 8601, UTC",
  format: "date-time",
  examples: [EXAMPLE.instant]
})

/** About an id that cannot be one. */
export const noSuch = (what: string, id: number | string): string => {
  const given = typeof id === "number" ? id : JSON.stringify(id.slice(0, 100))
  return `There is no ${what} with the id ${given}; ids are whole numbers from 1.`
}

/** An id in a request. One that cannot be an id is named in the message, with what can. */
export const idOf = (what: string) =>
  Schema.Int.check(Schema.makeFilter((id) => (isId(id) ? undefined : noSuch(what, id))))

/** The same, or null. The rule is about both together: in a union, the message would only be that it must be a number or null. */
export const idOrNullOf = <Id extends number>(what: string, is: (id: unknown) => id is Id) =>
  Schema.NullOr(Schema.Int)
    .check(Schema.makeFilter((id) => (id === null || is(id) ? undefined : noSuch(what, id)), undefined, true))
    .pipe(Schema.refine((id): id is Id | null => id === null || is(id)))

/** A name in a request. Its length is checked with the other values, so that all issues are reported together. */
export const NotBlank = Schema.String.check(Schema.isPattern(/\S/, { message: "The name must not be blank." }))
