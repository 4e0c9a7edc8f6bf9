const escapeAttribute = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** The tag that a site owner pastes into a page: Umami's tracker, told which site it is and where to send events. */
export const trackingSnippet = (snippet: {
  readonly siteId: string
  /** Where the tracker is loaded from. */
  readonly scriptUrl: string
  /** This server as browsers see it. */
  readonly hostUrl: string
}): string =>
  `<script defer src="${escapeAttribute(snippet.scriptUrl)}" data-website-id="${escapeAttribute(snippet.siteId)}" data-host-url="${escapeAttribute(snippet.hostUrl.replace(/\/+$/, ""))}"></script>`
