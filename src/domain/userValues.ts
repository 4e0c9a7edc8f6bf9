import { Result } from "effect"
import { Acceptance, type FieldIssue, type Parsed, parseName, parseTimezone, reject } from "./fieldIssues.ts"
import { Theme } from "./people.ts"

/** In characters: the longest address that mail servers take (RFC 5321, section 4.5.3.1). */
const MAX_EMAIL_LENGTH = 254

/** An address in lower case, since people do not write theirs the same way each time. */
export const parseEmail = (given: string): Parsed<string> => {
  const email = given.trim().toLowerCase()
  return email.length <= MAX_EMAIL_LENGTH && /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(email)
    ? Result.succeed(email)
    : reject("email", "The email must be an address such as `ada@example.com`.")
}

/** A language tag in its canonical form (BCP 47); null for the default. */
const parseLanguage = (given: string | null): Parsed<string | null> => {
  if (given === null) return Result.succeed(null)
  try {
    const [language] = Intl.getCanonicalLocales(given.trim())
    if (language !== undefined) return Result.succeed(language)
  } catch {
    // Not a language tag.
  }
  return reject("language", "The language must be a tag such as `en` or `pt-BR`.")
}

const parseTheme = (given: string): Parsed<Theme> => {
  const theme = Theme.literals.find((known) => known === given)
  return theme === undefined ? reject("theme", "The theme must be `system`, `light` or `dark`.") : Result.succeed(theme)
}

/** Values of a user as entered, before validation. */
export interface UserValues {
  readonly email?: string
  readonly name?: string
  /** Null: the browser's. */
  readonly language?: string | null
  /** Null: the browser's. */
  readonly timezone?: string | null
  readonly theme?: string
}

/** Values of a user, valid and normalized. Absent keys were not given. */
export interface AcceptedUserValues {
  readonly email?: string
  readonly name?: string
  readonly language?: string | null
  readonly timezone?: string | null
  readonly theme?: Theme
}

/** The given values in their normal form, or every issue with them. */
export const acceptUserValues = (given: UserValues): Result.Result<AcceptedUserValues, ReadonlyArray<FieldIssue>> => {
  const acceptance = new Acceptance()
  return acceptance.of({
    email: acceptance.accept(given.email, parseEmail),
    name: acceptance.accept(given.name, parseName),
    language: acceptance.accept(given.language, parseLanguage),
    timezone: acceptance.accept(given.timezone, (zone) =>
      zone === null ? Result.succeed<string | null>(null) : parseTimezone(zone)
    ),
    theme: acceptance.accept(given.theme, parseTheme)
  })
}
