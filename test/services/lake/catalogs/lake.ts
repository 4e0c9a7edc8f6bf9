import { Redacted } from "effect"
import type { AwsCredentials } from "../../../../layers/iceberg/io/AwsCredentials.ts"
import type { S3Options } from "../../../../layers/iceberg/io/S3ObjectStore.ts"
import { BUCKET, CREDENTIALS, REGION } from "../../../../scripts/services/credentials.ts"
import { endpoint } from "../../../../scripts/services/place.ts"

const keys = ({
  accessKeyId,
  secretAccessKey
}: {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}): AwsCredentials => ({ _tag: "Keys", accessKeyId, secretAccessKey: Redacted.make(secretAccessKey) })

export const LAKE_KEYS = keys(CREDENTIALS.s3)
export const READER_KEYS = keys(CREDENTIALS.s3Reader)
export const MOTO_KEYS = keys(CREDENTIALS.moto)

/** The S3 gateway, or what stands before it. */
export const lakeS3 = (options: Partial<S3Options> = {}): S3Options => ({
  endpoint: endpoint.s3(),
  region: REGION,
  credentials: LAKE_KEYS,
  ...options
})

/** A folder in the bucket that no other test uses. */
export const freshWarehouse = (): string => `s3://${BUCKET}/test-${crypto.randomUUID()}`
