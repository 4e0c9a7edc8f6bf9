import type { PeopleError } from "../../ports/PeopleError.ts"
import { Conflict, Forbidden, NotFound, ServiceUnavailable, UnprocessableContent } from "./problems.ts"

/** The problems of changing something about people. */
export const CHANGE_PROBLEMS = [NotFound, Conflict, UnprocessableContent, ServiceUnavailable] as const

/** The bodies' names of the domain's fields, where they differ. */
const JSON_NAMES: Readonly<Record<string, string>> = {
  groups: "group_ids",
  siteLimit: "site_limit",
  instanceName: "instance_name"
}

const pointerTo = (field: string) => `#/${JSON_NAMES[field] ?? field}`

/** Of lists, which fail only with the database. */
export const unavailable = ({ message }: PeopleError): ServiceUnavailable => new ServiceUnavailable({ detail: message })

/** Of one thing by its id. */
export const readProblem = (error: PeopleError): NotFound | ServiceUnavailable =>
  error.reason === "NotFound" ? new NotFound({ detail: error.message }) : unavailable(error)

export const changeProblem = (
  error: PeopleError
): NotFound | Conflict | UnprocessableContent | Forbidden | ServiceUnavailable => {
  const detail = error.message
  switch (error.reason) {
    case "NotFound":
      return new NotFound({ detail })
    case "Conflict":
    case "LastAdmin":
    case "Stale":
      return new Conflict({ detail })
    case "Invalid": {
      const errors = (error.issues ?? []).map(({ field, message }) => ({ pointer: pointerTo(field), detail: message }))
      return new UnprocessableContent({ detail, errors })
    }
    case "Denied":
      return new Forbidden({ detail })
    case "Busy":
    case "Unavailable":
      return unavailable(error)
  }
}
