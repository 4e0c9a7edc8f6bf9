import { Effect, Result } from "effect"
import { type AcceptedSiteValues, acceptSiteValues, type SiteValues } from "../../../src/domain/siteValues.ts"
import { SitesError } from "../../../src/ports/Sites.ts"

export const siteNotFound = (id: string): SitesError =>
  new SitesError({ reason: "NotFound", message: `There is no site with the id "${id}".` })

export const siteExists = (id: string): SitesError =>
  new SitesError({ reason: "Conflict", message: `A site with the id "${id}" already exists; it may be archived.` })

/** The values in their normal form. Fails with `Invalid` and every issue. */
export const accept = (values: SiteValues): Effect.Effect<AcceptedSiteValues, SitesError> =>
  Result.match(acceptSiteValues(values), {
    onSuccess: Effect.succeed,
    onFailure: (issues) =>
      Effect.fail(
        new SitesError({
          reason: "Invalid",
          message: issues.map((issue) => issue.message).join(" "),
          issues: [...issues]
        })
      )
  })
