import type { PeopleError } from "../../ports/PeopleError.ts"

const STATUSES: Readonly<Record<PeopleError["reason"], number>> = {
  NotFound: 404,
  Conflict: 409,
  Invalid: 422,
  LastAdmin: 409,
  Denied: 403,
  Stale: 409,
  Busy: 503,
  Unavailable: 503
}

/** The status of a page that reports this error. */
export const statusOf = ({ reason }: PeopleError): number => STATUSES[reason]
