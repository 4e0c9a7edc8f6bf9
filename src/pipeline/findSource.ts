import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import type { RateLimit } from "../domain/Site.ts"
import type { Sites } from "../ports/Sites.ts"
import type { Payload } from "./payload.ts"

/** What an event is counted for: a registered site, or a link or pixel, whose existence is not checked (wire contract 1.2). */
export interface Source {
  /** As the client sent it: it goes into the session id. */
  readonly sent: string
  /** Lower case, as stored. */
  readonly id: string
  readonly kind: "website" | "link" | "pixel"
  readonly rateLimit: RateLimit | null
}

/** The payload's source; a website must be registered and not archived. */
export const findSource = (payload: Payload, sites: Sites["Service"]): Exit.Exit<Source, Rejection> => {
  if (payload.website !== undefined) {
    const id = payload.website.toLowerCase()
    const site = sites.find(id)
    return site === undefined
      ? Exit.fail(Rejection.SiteNotFound({ website: id }))
      : Exit.succeed({ sent: payload.website, id, kind: "website", rateLimit: site.rateLimit })
  }
  const kind = payload.link === undefined ? "pixel" : "link"
  const sent = (payload.link ?? payload.pixel)!
  return Exit.succeed({ sent, id: sent.toLowerCase(), kind, rateLimit: null })
}
