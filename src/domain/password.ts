import type { FieldIssue } from "./fieldIssues.ts"

/** In characters. Guessing is also slowed down: by argon2id, and by the limits of signing in. */
export const MIN_PASSWORD_LENGTH = 10
/** In characters; far above any password, so that hashing cannot be made slow. */
export const MAX_PASSWORD_LENGTH = 256

/** What the most common long passwords consist of, in lower case, without digits and signs. */
const COMMON_WORDS: ReadonlySet<string> = new Set([
  "",
  "password",
  "passwort",
  "passwordpassword",
  "passw",
  "pssword",
  "psswrd",
  "qwerty",
  "qwertyuiop",
  "qwertyuiopasdfghjkl",
  "qwertzuiop",
  "azertyuiop",
  "qazwsx",
  "qazwsxedc",
  "asdfghjkl",
  "zxcvbnm",
  "abc",
  "abcd",
  "abcdef",
  "abcdefgh",
  "abcdefghij",
  "letmein",
  "welcome",
  "changeme",
  "iloveyou",
  "admin",
  "administrator",
  "superman",
  "sunshine",
  "princess",
  "football",
  "baseball",
  "footfall",
  "metabase",
  "umami",
  "secret",
  "test",
  "testtest",
  "hello",
  "helloworld",
  "default"
])

const DIGIT_RUNS = "01234567890123456789 98765432109876543210"

/** Whether the digits of a password make it hard to guess: not a run, a repetition or a year. */
const hasUnusualDigits = (password: string): boolean => {
  const digits = password.replaceAll(/\D/g, "")
  return digits.length >= 6 && !DIGIT_RUNS.includes(digits) && !/^(\d{1,4})\1+\d{0,3}$/.test(digits)
}

const isCommon = (password: string): boolean => {
  const lower = password.toLowerCase()
  if (/^(.{1,3})\1+.{0,2}$/su.test(lower)) return true
  if (lower.replaceAll(/\d/g, "") === "") return !hasUnusualDigits(lower)
  return COMMON_WORDS.has(lower.replaceAll(/[^\p{L}]/gu, "")) && !hasUnusualDigits(lower)
}

/** Who chooses a password, as far as it may occur in it. */
export interface PasswordOwner {
  readonly email: string
  readonly name: string
}

const belongsTo = (password: string, { email, name }: PasswordOwner): boolean => {
  const letters = password.toLowerCase().replaceAll(/[^\p{L}\p{N}@.]/gu, "")
  const known = [email, email.split("@", 1)[0]!, name].map((own) =>
    own.toLowerCase().replaceAll(/[^\p{L}\p{N}@.]/gu, "")
  )
  return known.some((own) => own.length >= 4 && letters.replace(own, "").length < 4 && letters.includes(own))
}

/** Why a password cannot be used; null if it can. There are no rules about its characters, only about what attackers try first. */
export const passwordIssue = (password: string, owner: PasswordOwner): FieldIssue | null => {
  const issue = (message: string): FieldIssue => ({ field: "password", message })
  if (password.length < MIN_PASSWORD_LENGTH) {
    return issue(
      `The password must have at least ${MIN_PASSWORD_LENGTH} characters; several words are easy to remember.`
    )
  }
  if (password.length > MAX_PASSWORD_LENGTH) {
    return issue(`The password must have at most ${MAX_PASSWORD_LENGTH} characters.`)
  }
  if (belongsTo(password, owner)) return issue("The password must not be your name or email.")
  return isCommon(password) ? issue("This password is one of the first that attackers try. Choose another.") : null
}
