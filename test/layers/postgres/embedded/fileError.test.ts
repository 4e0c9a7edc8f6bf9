import { expect, test } from "bun:test"
import { fileError } from "../../../../layers/postgres/embedded/fileError.ts"

test.each([
  ["ENOSPC", true, "The disk that holds /data is full. Free some space, or set DATA_DIR to a folder elsewhere."],
  ["EDQUOT", true, "The disk that holds /data is full. Free some space, or set DATA_DIR to a folder elsewhere."],
  [
    "EACCES",
    false,
    "/data can't be written by this user (EACCES). Set DATA_DIR to a folder that can, or DATABASE_URL to a Postgres to use."
  ]
])("after %s, trying again may help: %p", (code, outside, message) => {
  const error = fileError(Object.assign(new Error("failed"), { code }), "/data")
  expect([error.outside === true, error.message]).toEqual([outside, message])
})
