import { readFile } from "node:fs/promises"
import { Effect } from "effect"
import { StartError } from "../../domain/StartError.ts"
import { unreadableTracker } from "../../settings/startProblems.ts"
import { type Respond, type Routes, readOnly } from "./routes.ts"

/** How long browsers may use a copy of the tracker, as with Umami. */
const CACHE_CONTROL = "public, max-age=86400, must-revalidate"
/** The path that Umami's tracker posts to, which a copy may have to replace. */
const SEND_PATH = "/api/send"

export interface TrackerOptions {
  /** Names in addition to `script.js` (`TRACKER_SCRIPT_NAME`). */
  readonly names: ReadonlyArray<string>
  /** The operator's copy (`TRACKER_SCRIPT_FILE`); null if there is none. */
  readonly file: string | null
  /** Where to redirect without a copy (`TRACKER_SCRIPT_URL`). */
  readonly url: string
  /** The path that the served copy posts to (the first of `COLLECT_API_ENDPOINT`), or null for the usual one. */
  readonly endpoint: string | null
}

/** The paths of the tracker: `/script.js`, and each name with and without `.js`, as Umami serves it. */
export const trackerPaths = (names: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(
    ["script.js", ...names].flatMap((name) => {
      const path = name.startsWith("/") ? name : `/${name}`
      return path.endsWith(".js") ? [path] : [path, `${path}.js`]
    })
  )
]

/**
 * Serves the operator's copy of the tracker, or redirects to where it is. Pages that load `/script.js` keep working after a move from
 * Umami. Fails if the copy cannot be read.
 */
export const makeTrackerRoutes = (options: TrackerOptions): Effect.Effect<Routes, StartError> =>
  Effect.map(
    options.file === null ? Effect.succeed(redirectTo(options.url)) : serveFile(options.file, options),
    (respond) => Object.fromEntries(trackerPaths(options.names).map((path) => [path, readOnly(respond)]))
  )

const redirectTo =
  (url: string): Respond =>
  () =>
    new Response(null, { status: 302, headers: { location: url, "cache-control": "public, max-age=3600" } })

/** Reads the file for each request, so that a new version takes effect without a restart. Browsers keep their copy for a day. */
const serveFile = (file: string, { endpoint }: TrackerOptions): Effect.Effect<Respond, StartError> =>
  Effect.gen(function* () {
    let copy = yield* Effect.tryPromise({
      try: () => readFile(file, "utf8"),
      catch: (error) => new StartError({ message: unreadableTracker(file, error) })
    })
    return async (request) => {
      // While the file is being replaced, the last copy is served.
      copy = await readFile(file, "utf8").catch(() => copy)
      return serveCopy(request, endpoint === null ? copy : copy.replaceAll(SEND_PATH, endpoint))
    }
  })

const serveCopy = (request: Request, script: string): Response => {
  const etag = `"${Bun.hash.xxHash64(script).toString(16)}"`
  const headers = {
    "access-control-allow-origin": "*",
    "cache-control": CACHE_CONTROL,
    "content-type": "application/javascript; charset=utf-8",
    etag,
    "x-content-type-options": "nosniff"
  }
  const known = request.headers
    .get("if-none-match")
    ?.split(",")
    .some((each) => each.trim().replace(/^W\//, "") === etag)
  return known === true ? new Response(null, { status: 304, headers }) : new Response(script, { headers })
}
