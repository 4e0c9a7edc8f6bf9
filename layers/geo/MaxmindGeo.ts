import { readFile, stat } from "node:fs/promises"
import { resolve } from "node:path"
import { Duration, Effect, Layer, Result } from "effect"
import { Geo, type GeoState } from "../../src/ports/Geo.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { GEOLITE_DB_PATH } from "../../src/settings/settings.ts"
import { type LocationDatabase, openLocationDatabase } from "./LocationDatabase.ts"

/** Umami's place for the file. */
const DEFAULT_PATH = "./geo/GeoLite2-City.mmdb"
/** How often the file is looked at. A poll sees what file events miss: swapped symlinks, network mounts, a folder made later. */
const LOOK_EVERY = Duration.seconds(2)
/** A changed file is read when it has not changed for this long: a copy in progress is not a broken file. */
const SETTLE_FOR = Duration.millis(250)
/** A file that never stops changing is read all the same, after this many looks: 10 s. */
const SETTLE_LOOKS = 40
/** The largest MaxMind product is well below; a larger file is a mistake that must not fill the memory. */
const MAX_BYTES = 2 ** 30

export interface MaxmindGeoOptions {
  /** Null: `./geo/GeoLite2-City.mmdb`, if it is there. */
  readonly path: string | null
  readonly lookEvery?: Duration.Duration
  readonly settleFor?: Duration.Duration
}

const reasonOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : String(error)

/** Tells one content of the path from another without reading it; null when there is no file. */
const fingerprint = (path: string): Effect.Effect<string | null> =>
  Effect.promise(() =>
    stat(path, { bigint: true }).then(
      (file) => `${file.dev}:${file.ino}:${file.size}:${file.mtimeNs}`,
      () => null
    )
  )

const read = (path: string): Effect.Effect<Result.Result<LocationDatabase, string>> =>
  Effect.promise(async () => {
    try {
      const { size } = await stat(path)
      if (size > MAX_BYTES) return Result.fail(`has ${size} bytes; at most ${MAX_BYTES} are read`)
      return openLocationDatabase(await readFile(path))
    } catch (error) {
      return Result.fail(`can't be read (${reasonOf(error)})`)
    }
  })

/**
 * Locations from a MaxMind DB file that is read in the background: until it is there, and when it is broken, locations are off
 * and `state` says why. A changed file, replaced or rewritten in place, takes over within seconds; a broken one is refused with
 * a logged message and the one loaded before stays in use.
 */
export const makeMaxmindGeo = Effect.fnUntraced(function* (options: MaxmindGeoOptions) {
  const path = resolve(options.path ?? DEFAULT_PATH)
  const settleFor = options.settleFor ?? SETTLE_FOR
  let database: LocationDatabase | null = null
  let state: GeoState = { _tag: "Off", why: `${path} is being loaded.` }
  let loaded: string | null = null
  let told = 0

  const refuse = (what: string) => {
    const sentence = `GEOLITE_DB_PATH: ${path} ${what}.`
    if (state._tag === "On") {
      state = { ...state, refused: sentence }
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
    if (content === null) return yield* refuse("does not exist")
    const opened = yield* read(path)
    if (Result.isFailure(opened)) return yield* refuse(opened.failure)
    database = opened.success
    told = 0
    const { databaseType, builtAt } = database
    state = { _tag: "On", path, databaseType, builtAt, refused: null }
    yield* Effect.logInfo(`Locations come from ${path} (${databaseType} of ${builtAt.toISOString()}).`)
  })

  const settled = Effect.fnUntraced(function* (first: string | null) {
    let content = first
    for (let look = 0; look < SETTLE_LOOKS; look++) {
      yield* Effect.sleep(settleFor)
      const again = yield* fingerprint(path)
      if (again === content) return content
      content = again
    }
    return content
  })

  const look = Effect.gen(function* () {
    yield* Effect.sleep(options.lookEvery ?? LOOK_EVERY)
    const content = yield* fingerprint(path)
    if (content !== loaded) yield* load(yield* settled(content))
    const unreadable = database?.unreadable() ?? 0
    if (unreadable > 0 && told === 0) {
      told = unreadable
      yield* Effect.logError(`GEOLITE_DB_PATH: ${path} has records that can't be read; it is probably damaged.`)
    }
  })

  yield* Effect.forkScoped(Effect.andThen(Effect.flatMap(fingerprint(path), load), Effect.forever(look)))
  return Geo.of({ locate: (ip) => (database === null ? null : database.locate(ip)), state: () => state })
})

/** {@link makeMaxmindGeo} with the file that `GEOLITE_DB_PATH` names. */
export const MaxmindGeo: Layer.Layer<Geo, never, Settings> = Layer.effect(
  Geo,
  Effect.flatMap(Settings, (settings) => makeMaxmindGeo({ path: settings.get(GEOLITE_DB_PATH) }))
)
