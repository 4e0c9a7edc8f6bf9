import { Effect } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"

/*
 * Locations are texts that are compared and cut, never decoded: a key may hold `%2F`, and then it means those three
 * characters. Engines write the same place in several ways, `s3a://` (Hadoop) and `file:/` (Java) among them.
 */

const S3 = /^s3[an]?:\/\/([^/]+)(?:\/(.*))?$/s
const LOCAL = /^(?:file:(?:\/\/)?)?(\/(?!\/).*)$/s

export interface S3Place {
  readonly bucket: string
  readonly key: string
}

export const schemeOf = (location: string): "s3" | "file" | "other" =>
  S3.test(location) ? "s3" : LOCAL.test(location) ? "file" : "other"

/** Bucket and key of `s3://bucket/key`, also written `s3a://` or `s3n://`. */
export const s3PlaceOf = (location: string): Effect.Effect<S3Place, IcebergError> => {
  const [, bucket, key = ""] = S3.exec(location) ?? []
  return bucket === undefined
    ? Effect.fail(icebergError("Invalid", `${location} is not in S3: a location there begins with s3://bucket/.`))
    : Effect.succeed({ bucket, key })
}

/** The path of `file:///path`, `file:/path` or `/path`; undefined of anything else. */
export const localPathOf = (location: string): string | undefined => LOCAL.exec(location)?.[1]

/** One way to write a location, so that two that mean the same place compare equal. */
export const canonicalLocation = (location: string): string => {
  const s3 = S3.exec(location)
  if (s3 !== null) return `s3://${s3[1]}/${s3[2] ?? ""}`
  const path = localPathOf(location)
  return path === undefined ? location : `file://${path}`
}

export const withoutSlash = (location: string): string => location.replace(/(?<=[^/])\/+$/, "")

/** The text after the last slash. */
export const fileNameOf = (location: string): string => location.slice(location.lastIndexOf("/") + 1)
