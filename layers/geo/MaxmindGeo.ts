import { readFile, stat } from "node:fs/promises"
import { resolve } from "node:path"
import { Duration, Effect, Layer, Result } from "effect"
import { errorCode } from "../../src/lib/errorCode.ts"
import { Geo, type GeoState } from "../../src/ports/Geo.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { GEOLITE_DB_PATH } from "../../src/settings/settings.ts"
import { type LocationDatabase, openLocationDatabase } from "./LocationDatabase.ts"

/** Where Umami expects the file. */
const DEFAULT_PATH = "./geo/GeoLite2-City.mmdb"
/** Polling also notices what file events miss: swapped symlinks, network mounts, a folder created later. */
const POLL_INTERVAL = Duration.seconds(2)
/** A changed file is read once it has not changed for this long, so that a copy in progress is not read. */
const QUIET_PERIOD = Duration.millis(250)
/** A file that keeps changing is read after this many quiet periods (10 s). */
const MAX_QUIET_CHECKS = 40
/** MaxMind's largest database is well below 1 GiB; a larger file is a mistake and must not fill the memory. */
const MAX_BYTES = 2 ** 30

export interface MaxmindGeoOptions {
  /** Null: `./geo/GeoLite2-City.mmdb`, if it exists. */
  readonly path: string | null
  readonly pollInterval?: Duration.Duration
  readonly quietPeriod?: Duration.Duration
}

/** Identifies a file's content without reading it; null when there is no file. */
const fingerprint = (path: string): Effect.Effect<string | null> =>
  Effect.promise(() =>
    stat(path, { bigint: true }).then(
      (file) => `${file.dev}:${file.ino}:${file.size}:${file.mtimeNs}`,
      () => null
    )
  )

/** Fails with the end of a sentence about the file. */
const readDatabase = (path: string): Effect.Effect<Result.Result<LocationDatabase, string>> =>
  Effect.promise(async () => {
    try {
      const { size } = await stat(path)
      if (size > MAX_BYTES) return Result.fail(`has ${size} bytes; the limit is ${MAX_BYTES}`)
      return openLocationDatabase(await readFile(path))
    } catch (error) {
      return Result.fail(`can't be read (${errorCode(error) || String(error)})`)
    }
  })

/**
 * Reads a MaxMind DB file in the background and reloads it within seconds after it was replaced or rewritten. Until the file is
 * loaded, and while it is broken, there are no locations and `state` says why. When a reload fails, the error is logged and the
 * database loaded before stays in use.
 */
export const makeMaxmindGeo = Effect.fnUntraced(function* (options: MaxmindGeoOptions) {
  const path = resolve(options.path ?? DEFAULT_PATH)
  const quietPeriod = options.quietPeriod ?? QUIET_PERIOD
  let database: LocationDatabase | null = null
  let state: GeoState = { _tag: "Loading", why: `${path} is being loaded.` }
  let loaded: string | null = null
  let isDamageLogged = false

  const reject = (problem: string) => {
    const sentence = `GEOLITE_DB_PATH: ${path} ${problem}.`
    if (state._tag === "On") {
      state = { ...state, reloadError: sentence }
      return Effect.logError(`${sentence} The database of ${state.builtAt.toISOString()} stays in use.`)
    }
    state = { _tag: "Off", why: sentence }
    return Effect.logError(`${sentence} Locations are off.`)
  }

  const load = Effect.fnUntraced(function* (content: string | null) {
    loaded = content
    if (content === null && options.path === null && database === null) {
      state = { _tag: "Off", why: `GEOLITE_DB_PATH is not set, and ${DEFAULT_PATH} does not exist.` }
      return
    }
    if (content === null) return yield* reject("does not exist")
    const opened = yield* readDatabase(path)
    if (Result.isFailure(opened)) return yield* reject(opened.failure)
    database = opened.success
    isDamageLogged = false
    const { databaseType, builtAt } = database
    state = { _tag: "On", path, databaseType, builtAt, reloadError: null }
    yield* Effect.logInfo(`Locations come from ${path} (${databaseType} of ${builtAt.toISOString()}).`)
  })

  /** Waits until the file has stopped changing and returns its last fingerprint. */
  const waitUntilQuiet = Effect.fnUntraced(function* (first: string | null) {
    let content = first
    for (let check = 0; check < MAX_QUIET_CHECKS; check++) {
      yield* Effect.sleep(quietPeriod)
      const current = yield* fingerprint(path)
      if (current === content) return content
      content = current
    }
    return content
  })

  const poll = Effect.gen(function* () {
    yield* Effect.sleep(options.pollInterval ?? POLL_INTERVAL)
    const content = yield* fingerprint(path)
    if (content !== loaded) yield* load(yield* waitUntilQuiet(content))
    if (!isDamageLogged && database !== null && database.unreadableRecords() > 0) {
      isDamageLogged = true
      yield* Effect.logError(`GEOLITE_DB_PATH: ${path} has unreadable records; it is probably damaged.`)
    }
  })

  yield* Effect.forkScoped(Effect.andThen(Effect.flatMap(fingerprint(path), load), Effect.forever(poll)))
  return Geo.of({ locate: (ip) => (database === null ? null : database.locate(ip)), state: () => state })
})

/** {@link makeMaxmindGeo} with the file that `GEOLITE_DB_PATH` names. */
export const layer: Layer.Layer<Geo, never, Settings> = Layer.effect(
  Geo,
  Effect.flatMap(Settings, (settings) => makeMaxmindGeo({ path: settings.get(GEOLITE_DB_PATH) }))
)
