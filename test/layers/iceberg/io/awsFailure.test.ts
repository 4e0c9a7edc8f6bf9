import { expect, test } from "bun:test"
import { awsFailure } from "../../../../layers/iceberg/io/awsFailure.ts"

const REQUEST = {
  service: "S3 in eu-west-1",
  verb: "write",
  what: "s3://lake/file",
  bucket: "lake",
  permissions: "s3:PutObject"
}

const withResponse = (name: string, httpStatusCode: number, message = "the message of the service") =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode } })
const withoutResponse = (code: string, message = "the message of the system") =>
  Object.assign(new Error(message), { code })

const failures: ReadonlyArray<readonly [cause: Error, reason: string, isCertain: boolean, message: string]> = [
  [withResponse("NoSuchKey", 404), "NotFound", true, "s3://lake/file does not exist (S3 in eu-west-1)."],
  [withResponse("NotFound", 404, "UnknownError"), "NotFound", true, "s3://lake/file does not exist (S3 in eu-west-1)."],
  [
    withResponse("NoSuchBucket", 404),
    "Invalid",
    true,
    "S3 in eu-west-1 has no bucket lake: create it, or correct the name."
  ],
  [
    withResponse("AccessDenied", 403),
    "Denied",
    true,
    "S3 in eu-west-1 denied permission to write s3://lake/file (AccessDenied, HTTP 403): grant s3:PutObject."
  ],
  [
    withResponse("Unknown", 403, "UnknownError"),
    "Denied",
    true,
    "S3 in eu-west-1 denied permission to write s3://lake/file (HTTP 403): grant s3:PutObject."
  ],
  [
    withResponse("RequestTimeTooSkewed", 403),
    "Denied",
    true,
    "S3 in eu-west-1 rejected the request because this machine's clock is wrong: correct it."
  ],
  [
    withResponse("AuthorizationHeaderMalformed", 400, "the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
    "Invalid",
    true,
    "lake is in another region or at another endpoint of S3 in eu-west-1 (AuthorizationHeaderMalformed, HTTP 400): the region 'eu-west-1' is wrong; expecting 'us-east-1'"
  ],
  [
    withResponse("ExpiredToken", 400),
    "Unavailable",
    true,
    "The temporary credentials for S3 in eu-west-1 have expired (ExpiredToken)."
  ],
  [
    withResponse("SlowDown", 503),
    "Unavailable",
    false,
    "S3 in eu-west-1 failed to write s3://lake/file (SlowDown, HTTP 503): the message of the service"
  ],
  [
    withResponse("ThrottlingException", 400),
    "Unavailable",
    true,
    "S3 in eu-west-1 is too busy to write s3://lake/file (ThrottlingException, HTTP 400)."
  ],
  [
    withResponse("InternalError", 500),
    "Unavailable",
    false,
    "S3 in eu-west-1 failed to write s3://lake/file (InternalError, HTTP 500): the message of the service"
  ],
  [
    withResponse("EntityTooLarge", 400),
    "Invalid",
    true,
    "S3 in eu-west-1 refused to write s3://lake/file (EntityTooLarge, HTTP 400): the message of the service"
  ],
  [
    withoutResponse("ECONNREFUSED"),
    "Unavailable",
    true,
    "S3 in eu-west-1 is unreachable; could not write s3://lake/file (ECONNREFUSED)."
  ],
  [
    withoutResponse("ENOTFOUND"),
    "Unavailable",
    true,
    "S3 in eu-west-1 is unreachable; could not write s3://lake/file (ENOTFOUND)."
  ],
  [
    withoutResponse("ECONNRESET"),
    "Unavailable",
    false,
    "S3 in eu-west-1 did not answer; could not write s3://lake/file (ECONNRESET)."
  ],
  [
    withoutResponse("SELF_SIGNED_CERT_IN_CHAIN"),
    "Invalid",
    true,
    "The TLS handshake with S3 in eu-west-1 failed (SELF_SIGNED_CERT_IN_CHAIN): check http or https in its endpoint, and its certificate."
  ],
  [new Error("Region is missing"), "Invalid", true, "S3 in eu-west-1 requires a region: set one, or AWS_REGION."]
]

for (const [cause, reason, isCertain, message] of failures) {
  test(`the AWS error ${"code" in cause ? cause.code : cause.name} is ${reason}: ${message}`, () => {
    const failure = awsFailure(cause, REQUEST)
    expect([failure.error.reason, failure.isCertain, failure.error.message]).toEqual([reason, isCertain, message])
  })
}

test("a thrown undefined becomes an Unavailable failure", () => {
  expect(awsFailure(undefined, REQUEST).error.reason).toBe("Unavailable")
})
