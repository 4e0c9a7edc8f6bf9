import { expect, test } from "bun:test"
import { awsFailure } from "../../../../layers/iceberg/io/awsFailure.ts"

const REQUEST = {
  service: "S3 in eu-west-1",
  verb: "write",
  what: "s3://lake/file",
  bucket: "lake",
  permissions: "s3:PutObject"
}

const answered = (name: string, httpStatusCode: number, message = "as the service says it") =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode } })
const unanswered = (code: string, message = "as the system says it") => Object.assign(new Error(message), { code })

const failures: ReadonlyArray<readonly [cause: Error, reason: string, certain: boolean, message: string]> = [
  [answered("NoSuchKey", 404), "NotFound", true, "There is no s3://lake/file (S3 in eu-west-1)."],
  [answered("NotFound", 404, "UnknownError"), "NotFound", true, "There is no s3://lake/file (S3 in eu-west-1)."],
  [
    answered("NoSuchBucket", 404),
    "Invalid",
    true,
    "S3 in eu-west-1 has no bucket lake: create it, or correct the bucket's name."
  ],
  [
    answered("AccessDenied", 403),
    "Denied",
    true,
    "S3 in eu-west-1 does not allow to write s3://lake/file (AccessDenied, HTTP 403): grant s3:PutObject."
  ],
  [
    answered("Unknown", 403, "UnknownError"),
    "Denied",
    true,
    "S3 in eu-west-1 does not allow to write s3://lake/file (HTTP 403): grant s3:PutObject."
  ],
  [
    answered("RequestTimeTooSkewed", 403),
    "Denied",
    true,
    "S3 in eu-west-1 refuses requests of this machine, whose clock is wrong: set it."
  ],
  [
    answered("AuthorizationHeaderMalformed", 400, "the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
    "Invalid",
    true,
    "lake is in another region or at another endpoint of S3 in eu-west-1 (AuthorizationHeaderMalformed, HTTP 400): the region 'eu-west-1' is wrong; expecting 'us-east-1'"
  ],
  [
    answered("ExpiredToken", 400),
    "Unavailable",
    true,
    "The temporary credentials for S3 in eu-west-1 have expired (ExpiredToken)."
  ],
  [
    answered("SlowDown", 503),
    "Unavailable",
    false,
    "S3 in eu-west-1 failed to write s3://lake/file (SlowDown, HTTP 503): as the service says it"
  ],
  [
    answered("ThrottlingException", 400),
    "Unavailable",
    true,
    "S3 in eu-west-1 is too busy to write s3://lake/file (ThrottlingException, HTTP 400)."
  ],
  [
    answered("InternalError", 500),
    "Unavailable",
    false,
    "S3 in eu-west-1 failed to write s3://lake/file (InternalError, HTTP 500): as the service says it"
  ],
  [
    answered("EntityTooLarge", 400),
    "Invalid",
    true,
    "S3 in eu-west-1 refuses to write s3://lake/file (EntityTooLarge, HTTP 400): as the service says it"
  ],
  [
    unanswered("ECONNREFUSED"),
    "Unavailable",
    true,
    "S3 in eu-west-1 can't be reached, to write s3://lake/file (ECONNREFUSED)."
  ],
  [
    unanswered("ENOTFOUND"),
    "Unavailable",
    true,
    "S3 in eu-west-1 can't be reached, to write s3://lake/file (ENOTFOUND)."
  ],
  [
    unanswered("ECONNRESET"),
    "Unavailable",
    false,
    "S3 in eu-west-1 did not answer, to write s3://lake/file (ECONNRESET)."
  ],
  [
    unanswered("SELF_SIGNED_CERT_IN_CHAIN"),
    "Invalid",
    true,
    "No TLS with S3 in eu-west-1 (SELF_SIGNED_CERT_IN_CHAIN): check http or https in its endpoint, and its certificate."
  ],
  [new Error("Region is missing"), "Invalid", true, "S3 in eu-west-1 needs a region: set it, or AWS_REGION."]
]

for (const [cause, reason, certain, message] of failures) {
  test(`${"code" in cause ? cause.code : cause.name} is ${reason}: ${message}`, () => {
    const failure = awsFailure(cause, REQUEST)
    expect([failure.error.reason, failure.certain, failure.error.message]).toEqual([reason, certain, message])
  })
}

test("what is thrown in passing is a failure, too", () => {
  expect(awsFailure(undefined, REQUEST).error.reason).toBe("Unavailable")
})
