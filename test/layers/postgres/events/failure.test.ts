import { describe, expect, test } from "bun:test"
import { SqlError } from "effect/sql"
import { failureOf } from "../../../../layers/postgres/events/failure.ts"

const said = (message: string, code: string) =>
  new SqlError.SqlError({
    reason: new SqlError.UnknownError({ cause: Object.assign(new Error(message), { code }) })
  })

describe("a failed write", () => {
  test.each([
    ["08006", "the connection broke"],
    ["40001", "transactions could not be put in order"],
    ["40P01", "a deadlock"],
    ["53100", "the disk is full"],
    ["53200", "out of memory"],
    ["53300", "too many connections"],
    ["57014", "the statement took too long"],
    ["57P01", "an administrator ended it"],
    ["57P02", "another backend crashed"],
    ["57P03", "the server is starting"],
    ["58030", "a disk error"],
    ["XX000", "an internal error"],
    ["25006", "the server was demoted and is read-only"],
    ["55P03", "a lock was not to be had"]
  ])("of %s may be tried again: %s", (code) => {
    expect(failureOf(said("server's words", code))).toEqual({ _tag: "Retry", message: `server's words (${code})` })
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
  ])("of %s is of a record's making, and told without the server's words, which quote it", (code, words) => {
    expect(failureOf(said('invalid input: "a visitor\'s name"', code))).toEqual({
      _tag: "Record",
      message: `The record can't be stored: ${words} (${code}).`
    })
  })

  test.each([
    ["42P01", "a missing table"],
    ["42501", "a missing permission"],
    ["3D000", "a missing database"],
    ["28P01", "a wrong password"]
  ])("of %s ends it: %s", (code) => {
    expect(failureOf(said("server's words", code))).toEqual({ _tag: "Stop", message: `server's words (${code})` })
  })

  test.each([
    ["ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:5432"],
    ["", "the socket was closed"]
  ])("without an answer of a server may be tried again: %p", (code, message) => {
    const cause = Object.assign(new Error(message), code === "" ? {} : { code })
    const error = new SqlError.SqlError({ reason: new SqlError.ConnectionError({ cause }) })
    expect(failureOf(error)).toEqual({ _tag: "Retry", message })
  })
})
