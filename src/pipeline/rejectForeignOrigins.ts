import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import type { Step } from "./Step.ts"

/** The scheme and authority of a URL. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+/i

/**
 * The origin of the page that sent a request: its `Origin`, otherwise that of its `Referer`; null if it has neither, as a server's
 * request. A sandboxed frame's `null` says nothing about the page.
 */
const originOf = (headers: Headers): string | null => {
  const origin = headers.get("origin")
  if (origin !== null && origin !== "null") return origin
  const referer = headers.get("referer")
  return referer === null ? null : (ORIGIN.exec(referer)?.[0] ?? null)
}

/** Rejects events from pages outside the site's domains, if it has any and unless `ENFORCE_DOMAINS` is off. */
export const rejectForeignOrigins: Step = ({ request, source }, { policy }) => {
  const { site } = source
  if (site === null || site.allowsEveryOrigin || !policy.enforceDomains) return Exit.void
  const origin = originOf(request.headers)
  return origin === null || site.allowsOrigin(origin) ? Exit.void : Exit.fail(Rejection.ForeignOrigin())
}
