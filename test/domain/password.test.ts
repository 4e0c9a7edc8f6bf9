import { expect, test } from "bun:test"
import { passwordIssue } from "../../src/domain/password.ts"

const OWNER = { email: "ada.lovelace@example.com", name: "Ada Lovelace" }

test.each([
  "correct horse battery",
  "Tr0ub4dor&3x",
  "пароль из слов",
  "9f3k2m8q1z",
  "739104826155",
  "password of my grandmother",
  "ada lovelace wrote programs",
  "           spaces           x"
])("%p may be a password", (password) => {
  expect(passwordIssue(password, OWNER)).toBeNull()
})

test.each([
  ["short", "at least 10 characters"],
  ["", "at least 10 characters"],
  ["x".repeat(257), "at most 256 characters"],
  ["password123", "one of the first"],
  ["Password123!", "one of the first"],
  ["1234567890", "one of the first"],
  ["0987654321", "one of the first"],
  ["2000200020", "one of the first"],
  ["aaaaaaaaaaaa", "one of the first"],
  ["abcabcabcabc", "one of the first"],
  ["qwertyuiop", "one of the first"],
  ["Welcome2026!", "one of the first"],
  ["footfall2026", "one of the first"],
  ["          ", "one of the first"],
  ["ada.lovelace@example.com", "your name or email"],
  ["AdaLovelace1", "your name or email"],
  ["ada.lovelace!", "your name or email"]
])("%p may not be a password: %s", (password, why) => {
  expect(passwordIssue(password, OWNER)).toMatchObject({
    field: "password",
    message: expect.stringContaining(why)
  })
})
