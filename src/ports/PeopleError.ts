import { Schema } from "effect"
import { FieldIssue } from "../domain/fieldIssues.ts"

/**
 * Why something about users, groups or their sessions failed. `message` is a sentence for the caller.
 * - `NotFound`: nothing has this id.
 * - `Conflict`: something else has this email or name.
 * - `Invalid`: values were rejected; `issues` lists each with its field.
 * - `LastAdmin`: no administrator, or none who can sign in, would be left.
 * - `Denied`: a link or token is unknown, used or expired, or a password is wrong.
 * - `Stale`: somebody changed the permissions in the meantime.
 * - `Busy`: too many passwords are being checked.
 * - `Unavailable`: the app database can't be reached.
 */
export class PeopleError extends Schema.TaggedError<PeopleError>()("PeopleError", {
  reason: Schema.Literals(["NotFound", "Conflict", "Invalid", "LastAdmin", "Denied", "Stale", "Busy", "Unavailable"]),
  message: Schema.String,
  issues: Schema.optionalKey(Schema.Array(FieldIssue))
}) {}

export const peopleUnavailable = (message: string): PeopleError => new PeopleError({ reason: "Unavailable", message })

/** All issues in one error. */
export const invalidValues = (issues: ReadonlyArray<FieldIssue>): PeopleError =>
  new PeopleError({
    reason: "Invalid",
    message: issues.map(({ message }) => message).join(" "),
    issues: [...issues]
  })

export const userNotFound = (id: number): PeopleError =>
  new PeopleError({ reason: "NotFound", message: `There is no user with the id ${id}.` })

export const groupNotFound = (id: number): PeopleError =>
  new PeopleError({ reason: "NotFound", message: `There is no group with the id ${id}.` })
