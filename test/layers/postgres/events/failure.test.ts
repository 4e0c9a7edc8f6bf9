import { describe, expect, test } from "bun:test"
import { SqlError } from "effect/sql"
import { failureOf } from "../../../../layers/postgres/events/failure.ts"

const serverError = (message: string, code: string) =>
  new SqlError.SqlError({
    reason: new SqlError.UnknownError({ cause: Object.assign(new Error(message), { code }) })
  })

describe("failureOf", () => {
  test.each([
    ["08006", "connection lost"],
    ["40001", "serialization failure"],
    ["40P01", "deadlock"],
    ["53100", "disk full"],
    ["53200", "out of memory"],
    ["53300", "too many connections"],
    ["57014", "statement timeout"],
    ["57P01", "terminated by an administrator"],
    ["57P02", "crash of another backend"],
    ["57P03", "server starting"],
    ["58030", "disk error"],
    ["XX000", "internal error"],
    ["25006", "read-only server after a demotion"],
    ["55P03", "lock not available"]
  ])("a write that failed with %s may be retried: %s", (code) => {
    expect(failureOf(serverError("server's words", code))).toEqual({
      _tag: "Retry",
      message: `server's words (${code})`
    })
  })

  test.each([
    ["22001", "a string is too long"],
    ["22003", "a number is out of range"],
    ["22008", "a time is out of range"],
    ["22021", "a string contains NUL or is not valid UTF-8"],
    ["22P02", "an id is not a UUID, or a value has the wrong type"],
    ["22P05", "a string contains a character that can't be stored"],
    ["23502", "a value is missing"],
    ["23514", "a value does not fit"],
    ["54000", "a value does not fit"]
  ])("a write that failed with %s has an invalid record, and the message does not quote it", (code, reason) => {
    expect(failureOf(serverError('invalid input: "a visitor\'s name"', code))).toEqual({
      _tag: "Record",
      message: `The record can't be stored: ${reason} (${code}).`
    })
  })

  test.each([
    ["42P01", "missing table"],
    ["42501", "missing permission"],
    ["3D000", "missing database"],
    ["28P01", "wrong password"]
  ])("a write that failed with %s is not retried: %s", (code) => {
    expect(failureOf(serverError("server's words", code))).toEqual({
      _tag: "Stop",
      message: `server's words (${code})`
    })
  })

  test.each([
    ["ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:5432"],
    ["", "the socket was closed"]
  ])("a write without an answer from a server may be retried: %p", (code, message) => {
    const cause = Object.assign(new Error(message), code === "" ? {} : { code })
    const error = new SqlError.SqlError({ reason: new SqlError.ConnectionError({ cause }) })
    expect(failureOf(error)).toEqual({ _tag: "Retry", message })
  })
})
