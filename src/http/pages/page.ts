import { Html, html } from "./html.ts"
import { STYLE } from "./style.ts"

/** The style is the only one that the page may have; there are no scripts, and forms go only to this server. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${new Bun.CryptoHasher("sha256").update(STYLE).digest("base64")}'`,
  "img-src data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'"
].join("; ")

/** A footprint, inline so that browsers do not request /favicon.ico. */
const ICON =
  "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><ellipse cx='7' cy='10' rx='3.5' ry='5' fill='%232563eb'/><circle cx='11.5' cy='4.5' r='1.6' fill='%232563eb'/><circle cx='8.5' cy='3' r='1.4' fill='%232563eb'/><circle cx='5.5' cy='3.4' r='1.1' fill='%232563eb'/></svg>"

export interface Page {
  readonly title: string
  /** What the instance is called. */
  readonly instance: string
  readonly content: Html
  readonly status?: number
  /** Headers in addition to those of every page. */
  readonly headers?: ReadonlyArray<readonly [name: string, value: string]>
}

/** A whole page. It works without scripts, and with any browser of the last ten years. */
export const pageResponse = ({ content, headers = [], instance, status = 200, title }: Page): Response => {
  const { markup } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${status >= 400 ? `Error: ${title}` : title} – ${instance}</title>
<link rel="icon" href="${ICON}">
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<p class="name">${instance}</p>
<h1>${title}</h1>
${content}
</main>
</body>
</html>
`
  const response = new Response(markup, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": POLICY,
      // A browser that sends no referrer at all also says nothing about where a form comes from.
      "referrer-policy": "same-origin"
    }
  })
  for (const [name, value] of headers) response.headers.append(name, value)
  return response
}

/** Sends the browser to another page of this server with GET. */
export const seeOther = (
  location: string,
  headers: ReadonlyArray<readonly [name: string, value: string]> = []
): Response => {
  const response = new Response(null, { status: 303, headers: { location, "referrer-policy": "same-origin" } })
  for (const [name, value] of headers) response.headers.append(name, value)
  return response
}
