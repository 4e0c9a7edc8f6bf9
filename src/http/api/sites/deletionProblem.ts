import type { SiteDataError } from "../../../ports/SiteData.ts"
import { Conflict, ServiceUnavailable } from "../problems.ts"

/** Why a site's data was not deleted. */
export const deletionProblem = ({ message, reason }: SiteDataError): Conflict | ServiceUnavailable =>
  reason === "Unavailable" ? new ServiceUnavailable({ detail: message }) : new Conflict({ detail: message })
