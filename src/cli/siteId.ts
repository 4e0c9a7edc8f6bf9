import { Effect, Schema } from "effect"
import { Argument } from "effect/cli"
import { SiteId } from "../domain/ids.ts"
import { SitesError } from "../ports/Sites.ts"

/** The argument of every command about one site. */
export const id = Argument.String("id").pipe(Argument.withDescription("The site's id, a UUID"))

/** An id that is none is told as one that no site has. */
export const siteId = (text: string): Effect.Effect<SiteId, SitesError> =>
  Effect.mapError(
    Schema.decodeUnknownEffect(SiteId)(text.trim().toLowerCase()),
    () =>
      new SitesError({
        reason: "NotFound",
        message: `There is no site with the id ${text}; \`bun run footfall sites list\` shows all of them.`
      })
  )
