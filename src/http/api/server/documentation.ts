import { HttpRouter } from "effect/http"
import { HttpApiScalar, OpenApi } from "effect/http-api"
import { AdminApi } from "../AdminApi.ts"

/** The page contains its script and styles; it may load nothing else and connect only to this server. */
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"

/** A footprint, inline so that browsers do not request /favicon.ico. */
const ICON =
  "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><ellipse cx='7' cy='10' rx='3.5' ry='5' fill='%232563eb'/><circle cx='11.5' cy='4.5' r='1.6' fill='%232563eb'/><circle cx='8.5' cy='3' r='1.4' fill='%232563eb'/><circle cx='5.5' cy='3.4' r='1.1' fill='%232563eb'/></svg>"

/** Disables everything that would contact a third party. */
const OFFLINE = { hideClientButton: true, showDeveloperTools: "never", telemetry: false, withDefaultFonts: false }

const CONFIG: HttpApiScalar.ScalarConfig = {
  ...OFFLINE,
  favicon: ICON,
  authentication: { preferredSecurityScheme: "key" },
  // Shows each route in one line until it is opened; the other layout draws all of them at once, or only those near the screen.
  layout: "classic",
  defaultOpenAllTags: true,
  // Long paths must not make a phone's page wider than its screen.
  customCss: "body { overflow-x: hidden } .section-header-label, .endpoint-path { overflow-wrap: anywhere }"
}

interface Page {
  readonly html: string
  readonly gzipped: Uint8Array<ArrayBuffer>
}

/** Three megabytes, therefore rendered on first use. */
const renderPage = async (api: typeof AdminApi): Promise<Page> => {
  const layer = HttpApiScalar.layer(api, { path: "/docs", scalar: CONFIG })
  const { handler, dispose } = HttpRouter.toWebHandler(layer, { disableLogger: true })
  const generated = await (await handler(new Request("http://localhost/docs"))).text()
  await dispose()
  const html = generated
    .replace("<html>", '<html lang="en">')
    .replace("<title>Footfall</title>", () => `<title>Footfall API</title>\n    <link rel="icon" href="${ICON}" />`)
  return { html, gzipped: Bun.gzipSync(html) }
}

/** The API's documentation: its OpenAPI document and a page that displays it and can send requests. */
export class Documentation {
  readonly #api: typeof AdminApi
  readonly #openApi: string
  #page: Promise<Page> | null = null

  /** `base`: where the API is served; null for the root. */
  constructor(base: string | null) {
    this.#api = base === null ? AdminApi : (AdminApi.annotate(OpenApi.Servers, [{ url: base }]) as typeof AdminApi)
    this.#openApi = JSON.stringify(OpenApi.fromApi(this.#api))
  }

  openApi(): Response {
    return new Response(this.#openApi, { headers: { "content-type": "application/json" } })
  }

  async page(request: Request): Promise<Response> {
    this.#page ??= renderPage(this.#api)
    const { html, gzipped } = await this.#page
    const headers = {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": POLICY,
      vary: "accept-encoding"
    }
    return /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "")
      ? new Response(gzipped, { headers: { ...headers, "content-encoding": "gzip" } })
      : new Response(html, { headers })
  }
}
