import { Effect } from "effect"
import { Argument } from "effect/cli"
import type { SiteId } from "../../domain/ids.ts"
import { parseSiteId } from "../../domain/siteValues.ts"
import { SitesError } from "../../ports/Sites.ts"

/** The argument of every command for one site. */
export const id = Argument.String("id").pipe(Argument.withDescription("The site's id, a UUID"))

/** A malformed id is reported as a site that does not exist. */
export const siteId = (given: string): Effect.Effect<SiteId, SitesError> => {
  const parsed = parseSiteId(given.trim())
  return parsed === null
    ? Effect.fail(
        new SitesError({
          reason: "NotFound",
          message: `There is no site with the id ${JSON.stringify(given)}; \`bun run footfall sites list\` shows all sites.`
        })
      )
    : Effect.succeed(parsed)
}
