const escapeAttribute = (value: string): string =>
  value.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** The tag that a site owner pastes into a page: Umami's tracker with the site's id and the server that receives its events. */
export const trackingSnippet = (snippet: {
  readonly siteId: string
  /** The tracker's address. */
  readonly scriptUrl: string
  /** This server's address as browsers see it. */
  readonly hostUrl: string
}): string =>
  `<script defer src="${escapeAttribute(snippet.scriptUrl)}" data-website-id="${escapeAttribute(snippet.siteId)}" data-host-url="${escapeAttribute(snippet.hostUrl.replace(/\/+$/, ""))}"></script>`
