import { afterAll } from "bun:test"
import { Redacted } from "effect"
import type { AwsCredentials } from "../../../../layers/iceberg/io/AwsCredentials.ts"
import type { S3Options } from "../../../../layers/iceberg/io/S3ObjectStore.ts"
import { BUCKET, CREDENTIALS, REGION } from "../../../../scripts/services/credentials.ts"
import { endpoint } from "../../../../scripts/services/place.ts"
import { emptyLake, seaweedfs } from "../../../../scripts/services/seaweedfs.ts"

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

/** The S3 gateway, or the proxy in front of it. */
export const lakeS3 = (options: Partial<S3Options> = {}): S3Options => ({
  endpoint: endpoint.s3(),
  region: REGION,
  credentials: LAKE_KEYS,
  ...options
})

/** Thousands of small files, one request each. */
const CLEAN_UP_MS = 120_000

/** Prefix of everything that the tests of this process write into the bucket. */
const OURS = `test-${process.pid}-`
afterAll(async () => {
  if (await seaweedfs.isReady()) await emptyLake(OURS)
}, CLEAN_UP_MS)

/** A folder in the bucket that no other test uses. It is removed after the test file. */
export const freshWarehouse = (): string => `s3://${BUCKET}/${OURS}${crypto.randomUUID()}`
