import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import type { AwsCredentials } from "../../../../layers/iceberg/io/AwsCredentials.ts"
import { makeS3ObjectStore, type S3Options } from "../../../../layers/iceberg/io/S3ObjectStore.ts"
import { BUCKET, CREDENTIALS } from "../../../../scripts/services/credentials.ts"
import { endpoint, port } from "../../../../scripts/services/place.ts"
import { decode, encode, objectStoreContract } from "../../../layers/iceberg/io/objectStoreContract.ts"
import { temporaryFolder } from "../../../support/postgres/postgres.ts"
import { areUp } from "../../areUp.ts"
import { freshWarehouse, lakeS3, READER_KEYS } from "./lake.ts"

const failureOf = (options: Partial<S3Options>, location = `s3://${BUCKET}/test/none`, write = false) =>
  Effect.gen(function* () {
    const store = yield* makeS3ObjectStore(lakeS3({ retryForMs: 0, ...options }))
    return yield* Effect.flip(write ? store.write(location, encode("x")) : store.read(location))
  }).pipe(Effect.scoped, Effect.runPromise)

describe.skipIf(!(await areUp("seaweedfs")))("S3", () => {
  objectStoreContract("S3", { open: makeS3ObjectStore(lakeS3()), freshFolder: () => `${freshWarehouse()}/` })

  test("an s3a location names the same object as an s3 location", () =>
    Effect.gen(function* () {
      const store = yield* makeS3ObjectStore(lakeS3())
      const folder = `${freshWarehouse()}/`
      yield* store.write(`${folder}file`, encode("same"))
      expect(decode(yield* store.read(`${folder.replace("s3:", "s3a:")}file`))).toBe("same")
    }).pipe(Effect.scoped, Effect.runPromise))

  test("the error for a missing bucket names the bucket", async () => {
    for (const write of [false, true]) {
      const error = await failureOf({}, "s3://no-such-bucket/key", write)
      expect([error.reason, error.message]).toEqual([
        "Invalid",
        `S3 at 127.0.0.1:${port("s3")} has no bucket no-such-bucket: create it, or correct the name.`
      ])
    }
  })

  test("the location of a bucket is refused as an object", async () => {
    for (const write of [false, true]) expect((await failureOf({}, `s3://${BUCKET}/`, write)).reason).toBe("Invalid")
  })

  test("wrong credentials are denied, and the message contains no secret", async () => {
    const secret = await failureOf({
      credentials: { _tag: "Keys", accessKeyId: CREDENTIALS.s3.accessKeyId, secretAccessKey: Redacted.make("sk-wrong") }
    })
    expect(secret.reason).toBe("Denied")
    expect(secret.message).toContain("the secret access key does not match the access key id")
    const key = await failureOf({
      credentials: { _tag: "Keys", accessKeyId: "AKNOBODY", secretAccessKey: Redacted.make("sk-wrong") }
    })
    expect(key.reason).toBe("Denied")
    expect(key.message).toContain("rejected the access key id")
    expect(`${secret.message} ${key.message}`).not.toMatch(/sk-wrong|AKNOBODY/)
  })

  test("a write with read-only credentials fails with the missing permission in its message", async () => {
    const error = await failureOf({ credentials: READER_KEYS }, `s3://${BUCKET}/test/denied`, true)
    expect(error.reason).toBe("Denied")
    expect(error.message).toContain("grant s3:PutObject")
  })

  const withEnvironment = async <A>(
    values: Readonly<Record<string, string | undefined>>,
    use: () => Promise<A>
  ): Promise<A> => {
    const before = Object.fromEntries(Object.keys(values).map((name) => [name, process.env[name]]))
    const setAll = (all: Readonly<Record<string, string | undefined>>): void => {
      for (const [name, value] of Object.entries(all)) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
    setAll(values)
    return use().finally(() => setAll(before))
  }

  test("without configured keys, those of the environment or of a named profile are used", async () => {
    const { accessKeyId, secretAccessKey } = CREDENTIALS.s3
    const folder = temporaryFolder()
    writeFileSync(
      join(folder, "credentials"),
      `[lake]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`
    )
    const location = `${freshWarehouse()}/file`
    const readWith = (credentials: AwsCredentials) =>
      Effect.gen(function* () {
        const store = yield* makeS3ObjectStore({ endpoint: endpoint.s3(), credentials })
        yield* store.write(location, encode("data"))
        return decode(yield* store.read(location))
      }).pipe(Effect.scoped, Effect.runPromise)
    const environment = {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_PROFILE: undefined,
      AWS_REGION: undefined
    }
    expect(await withEnvironment(environment, () => readWith({ _tag: "Chain" }))).toBe("data")
    const profiles = {
      ...environment,
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials")
    }
    expect(await withEnvironment(profiles, () => readWith({ _tag: "Chain", profile: "lake" }))).toBe("data")
  })

  test("missing credentials and a missing region are reported", async () => {
    const nothing = {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_PROFILE: undefined,
      AWS_REGION: undefined,
      AWS_DEFAULT_REGION: undefined,
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_SHARED_CREDENTIALS_FILE: "/nowhere",
      AWS_CONFIG_FILE: "/nowhere"
    }
    const keys = await withEnvironment(nothing, () => failureOf({ credentials: { _tag: "Chain" } }))
    expect([keys.reason, keys.message]).toEqual([
      "Denied",
      `Found no AWS credentials for S3 at 127.0.0.1:${port("s3")}: set an access key id and a secret access key, or use a profile, environment variables or an instance role.`
    ])
    const region = await withEnvironment(nothing, () => failureOf({ endpoint: undefined, region: undefined }))
    expect([region.reason, region.message]).toEqual(["Invalid", "S3 requires a region: set one, or AWS_REGION."])
  })
})
