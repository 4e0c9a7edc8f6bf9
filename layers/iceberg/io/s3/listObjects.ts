import { Effect, Option, Stream } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import { s3LocationOf } from "../location.ts"
import type { StoredObject } from "../ObjectStore.ts"
import type { S3Requests } from "./S3Requests.ts"

/** All objects under a folder, page by page. */
export const listObjects = ({ sdk, send }: S3Requests, folder: string): Stream.Stream<StoredObject, IcebergError> =>
  Stream.unwrap(
    Effect.map(s3LocationOf(folder), ({ bucket, key: prefix }) => {
      const root = folder.slice(0, folder.length - prefix.length)
      const listPage = (token: string | undefined) => {
        const request = {
          Bucket: bucket,
          Prefix: prefix,
          ...(token === undefined ? {} : { ContinuationToken: token })
        }
        return send({ verb: "list", location: folder, target: { bucket, key: prefix } }, (client, options) =>
          client.send(new sdk.ListObjectsV2Command(request), options)
        )
      }
      return Stream.paginate(undefined as string | undefined, (token) =>
        Effect.map(listPage(token), ({ Contents = [], IsTruncated, NextContinuationToken }) => {
          const objects = Contents.map(({ Key = "", LastModified, Size = 0 }) => ({
            location: root + Key,
            size: Size,
            modifiedAt: LastModified?.getTime() ?? 0
          }))
          const next = IsTruncated === true ? Option.fromUndefinedOr(NextContinuationToken) : Option.none<string>()
          return [objects, next] as const
        })
      )
    })
  )
