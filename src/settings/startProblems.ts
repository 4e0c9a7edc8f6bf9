import { readFileSync } from "node:fs"
import { errorCode } from "../lib/errorCode.ts"
import { passwordLoginProblem } from "./passwordLogin.ts"
import {
  FEATURE_GATE,
  LAKE_AWS_ACCESS_KEY,
  LAKE_AWS_SECRET_KEY,
  LAKE_CATALOG_TYPE,
  LAKE_CATALOG_URI,
  LAKE_S3_BUCKET,
  LAKE_S3_PREFIX,
  LAKE_WAREHOUSE,
  LICENSE_PUBLIC_KEY,
  type Setting,
  STORAGE_BACKEND,
  TRACKER_SCRIPT_FILE,
  TRINO_URL,
  WAREHOUSE,
  WAREHOUSES
} from "./settings.ts"

/*
 * What keeps a process from starting although each setting on its own is valid. The start, `settings set` and `doctor` check the same
 * rules and use the same words.
 */

/** The value of a setting. */
export type GetSetting = <A>(setting: Setting<A>) => A

/** A bucket, or a folder: `file:///folder` or Java's `file:/folder`, without a host. */
const LOCATION = /^(?:s3a?:\/\/[^/]+|file:\/(?:\/\/|[^/]))/

/** Where the lake's files are; for a REST catalog the warehouse's name in it. Null if nothing says so. */
export const lakeLocation = (get: GetSetting): string | null => {
  const bucket = get(LAKE_S3_BUCKET)
  const ofBucket = bucket === null ? null : `s3://${bucket}/${get(LAKE_S3_PREFIX)}`.replace(/\/+$/, "")
  return get(LAKE_WAREHOUSE) ?? ofBucket
}

/** Why there is no location for the lake's files; null if there is one. */
export const lakeLocationProblem = (get: GetSetting): string | null => {
  if (get(LAKE_CATALOG_TYPE) === "rest") return null
  const location = lakeLocation(get)
  if (location === null) {
    const backend = get(STORAGE_BACKEND)
    if (backend !== "iceberg") {
      return `There is no lake: ${STORAGE_BACKEND.env} is ${backend}. To read one that is elsewhere, set ${LAKE_S3_BUCKET.env}, or ${LAKE_WAREHOUSE.env} to a folder such as file:///var/lib/footfall/lake.`
    }
    return `${LAKE_S3_BUCKET.env} is missing. The lake needs a bucket, or a folder: ${LAKE_WAREHOUSE.env}=file:///var/lib/footfall/lake.`
  }
  return LOCATION.test(location)
    ? null
    : `${LAKE_WAREHOUSE.env} is "${location}"; it accepts s3://bucket/prefix or file:///folder.`
}

/** Why the lake's settings do not fit each other; null if they do. */
export const lakePairProblem = (get: GetSetting): string | null => {
  const hasId = get(LAKE_AWS_ACCESS_KEY) !== null
  const hasSecret = get(LAKE_AWS_SECRET_KEY) !== null
  if (hasId && !hasSecret) return `${LAKE_AWS_SECRET_KEY.env} is missing but ${LAKE_AWS_ACCESS_KEY.env} is set.`
  if (!hasId && hasSecret) return `${LAKE_AWS_ACCESS_KEY.env} is missing but ${LAKE_AWS_SECRET_KEY.env} is set.`
  const type = get(LAKE_CATALOG_TYPE)
  const uri = get(LAKE_CATALOG_URI)
  if (type === "rest" && (uri === null || !/^https?:\/\//.test(uri))) {
    return `${LAKE_CATALOG_URI.env} is missing. A REST catalog needs its http(s) URL.`
  }
  return type === "jdbc" && uri !== null && !/^postgres(ql)?:\/\//.test(uri)
    ? `${LAKE_CATALOG_URI.env} is not a postgres:// URL. Omit it to keep the catalog in the app database.`
    : null
}

/** Why the engine of `WAREHOUSE` cannot query what `STORAGE_BACKEND` stores; null if it can, or none is named. */
export const warehouseProblem = (get: GetSetting): string | null => {
  const backend = get(STORAGE_BACKEND)
  const name = get(WAREHOUSE)
  const usable = WAREHOUSES[backend]
  return name === null || usable.includes(name)
    ? null
    : `${WAREHOUSE.env}=${name} cannot query what ${STORAGE_BACKEND.env}=${backend} stores. Set ${WAREHOUSE.env} to ${alternatives(usable)}, or change ${STORAGE_BACKEND.env}.`
}

/** `a, b or c` */
const alternatives = (names: ReadonlyArray<string>): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`

/** Why no engine answers, with `WAREHOUSE=none`. */
export const withoutEngine = (get: GetSetting): string => {
  const engines = WAREHOUSES[get(STORAGE_BACKEND)].filter((name) => name !== "none")
  return `No engine answers questions, since ${WAREHOUSE.env}=none. Set ${WAREHOUSE.env} to ${alternatives(engines)}, and restart.`
}

export const WITHOUT_TRINO_URL = `${WAREHOUSE.env}=trino requires ${TRINO_URL.env}.`

export const WITHOUT_LICENSE_KEY = `${FEATURE_GATE.env} is \`token\`, which needs ${LICENSE_PUBLIC_KEY.env}: the Ed25519 key that verifies license tokens.`

/** Why the file of `TRACKER_SCRIPT_FILE` cannot be served. */
export const unreadableTracker = (file: string, error: unknown): string =>
  `${TRACKER_SCRIPT_FILE.env} is ${file}, which cannot be read (${errorCode(error)}).`

/** Why this machine cannot serve the tracker's copy; null if it can, or has none. */
export const trackerProblem = (get: GetSetting): string | null => {
  const file = get(TRACKER_SCRIPT_FILE)
  if (file === null) return null
  try {
    readFileSync(file)
    return null
  } catch (error) {
    return unreadableTracker(file, error)
  }
}

/** What keeps a process with these settings from starting on this machine, one message each. */
export const startProblems = (get: GetSetting): ReadonlyArray<string> => {
  const isLake = get(STORAGE_BACKEND) === "iceberg"
  const problems = [
    isLake ? lakeLocationProblem(get) : null,
    warehouseProblem(get),
    get(WAREHOUSE) === "trino" && get(TRINO_URL) === null ? WITHOUT_TRINO_URL : null,
    get(FEATURE_GATE) === "token" && get(LICENSE_PUBLIC_KEY) === null ? WITHOUT_LICENSE_KEY : null,
    passwordLoginProblem(get),
    trackerProblem(get)
  ]
  return problems.filter((problem) => problem !== null)
}

/** The same for settings that belong together and are set one after the other. */
export const unfinishedPairs = (get: GetSetting): string | null =>
  get(STORAGE_BACKEND) === "iceberg" ? lakePairProblem(get) : null
