import { Effect } from "effect"
import { IcebergError } from "../IcebergError.ts"

/*
 * Locations are compared and split as strings and never decoded: a key may contain `%2F`, which then means those three
 * characters. Engines write the same location in several ways, such as `s3a://` (Hadoop) and `file:/` (Java).
 */

const S3 = /^s3[an]?:\/\/([^/]+)(?:\/(.*))?$/s
const LOCAL = /^(?:file:(?:\/\/)?)?(\/(?!\/).*)$/s

export interface S3Location {
  readonly bucket: string
  readonly key: string
}

export const schemeOf = (location: string): "s3" | "file" | "other" =>
  S3.test(location) ? "s3" : LOCAL.test(location) ? "file" : "other"

/** Bucket and key of `s3://bucket/key`, also written `s3a://` or `s3n://`. */
export const s3LocationOf = (location: string): Effect.Effect<S3Location, IcebergError> => {
  const [, bucket, key = ""] = S3.exec(location) ?? []
  return bucket === undefined
    ? Effect.fail(IcebergError.invalid(`${location} is not in S3: its location must begin with s3://bucket/.`))
    : Effect.succeed({ bucket, key })
}

/** The path of `file:///path`, `file:/path` or `/path`; null for anything else. */
export const localPathOf = (location: string): string | null => LOCAL.exec(location)?.[1] ?? null

/** The canonical form, so that two spellings of the same location compare equal. */
export const canonicalLocation = (location: string): string => {
  const s3 = S3.exec(location)
  if (s3 !== null) return `s3://${s3[1]}/${s3[2] ?? ""}`
  const path = localPathOf(location)
  return path === null ? location : `file://${path}`
}

export const withoutSlash = (location: string): string => location.replace(/(?<=[^/])\/+$/, "")

/** The part after the last slash. */
export const fileNameOf = (location: string): string => location.slice(location.lastIndexOf("/") + 1)
