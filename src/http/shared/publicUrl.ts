import type { Settings } from "../../ports/Settings.ts"
import {
  BASE_PATH,
  PORT,
  PUBLIC_URL,
  TRACKER_SCRIPT_FILE,
  TRACKER_SCRIPT_NAME,
  TRACKER_SCRIPT_URL
} from "../../settings/settings.ts"
import { withBasePath } from "./basePath.ts"

/**
 * This server's address as browsers see it: `PUBLIC_URL`, or else this machine. With `PORT=0` only the request shows which port
 * the server listens on, so then it is `requestOrigin`, unless that is null.
 */
export const publicUrl = ({ get }: Settings["Service"], requestOrigin: string | null): string => {
  const port = get(PORT)
  const url = get(PUBLIC_URL) ?? (port === 0 && requestOrigin !== null ? requestOrigin : `http://localhost:${port}`)
  return withBasePath(url, get(BASE_PATH))
}

/** Where pages load the tracker from: this server at `hostUrl` if it has a copy, otherwise `TRACKER_SCRIPT_URL`. */
export const trackerUrl = ({ get }: Settings["Service"], hostUrl: string): string =>
  get(TRACKER_SCRIPT_FILE) === null
    ? get(TRACKER_SCRIPT_URL)
    : `${hostUrl.replace(/\/+$/, "")}/${(get(TRACKER_SCRIPT_NAME)[0] ?? "script.js").replace(/^\//, "")}`

/** What a snippet needs to know about this server. */
export const snippetUrls = (settings: Settings["Service"], requestOrigin: string | null) => {
  const hostUrl = publicUrl(settings, requestOrigin)
  return { hostUrl, scriptUrl: trackerUrl(settings, hostUrl) }
}
