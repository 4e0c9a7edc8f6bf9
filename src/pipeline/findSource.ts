import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import type { LiveSite } from "../ports/Sites.ts"
import type { Step } from "./Step.ts"

/** What an event belongs to: a registered site, or a link or pixel, whose existence is not checked, as in Umami 3.1. */
export interface Source {
  /** The id as the client sent it: part of what session ids are derived from. */
  readonly sent: string
  /** The id as stored, in lower case. */
  readonly id: string
  readonly kind: "website" | "link" | "pixel"
  /** The registered site; null for a link or pixel. */
  readonly site: LiveSite | null
}

/** Finds the payload's source; a website must be registered and not archived. */
export const findSource: Step = (draft, { sites }) => {
  const { link, pixel, website } = draft.payload
  if (website !== undefined) {
    const id = website.toLowerCase()
    const site = sites.find(id)
    if (site === undefined) return Exit.fail(Rejection.SiteNotFound({ website: id }))
    draft.source = { sent: website, id, kind: "website", site }
    return Exit.void
  }
  const sent = (link ?? pixel)!
  draft.source = { sent, id: sent.toLowerCase(), kind: link === undefined ? "pixel" : "link", site: null }
  return Exit.void
}
