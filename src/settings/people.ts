import { MAX_NAME_LENGTH } from "../domain/fieldIssues.ts"
import { settingsOf } from "./Setting.ts"
import { integer, oneOf, onOff, string, timezone } from "./types.ts"

const define = settingsOf("People")

/** In minutes. */
const YEAR = 525_600

export const INSTANCE_NAME = define({
  env: "INSTANCE_NAME",
  type: string(`a name of at most ${MAX_NAME_LENGTH} characters`, /^(?=.*\S)[^\p{Cc}]{1,100}$/u),
  default: "Footfall",
  doc: "What this instance is called on its pages, such as the sign-in page.",
  live: true
})
export const INSTANCE_TIMEZONE = define({
  env: "INSTANCE_TIMEZONE",
  type: timezone,
  default: "UTC",
  doc: "Time zone of new sites, of users who chose none, and of questions about sites in different time zones.",
  live: true
})
export const INSTANCE_WEEK_START = define({
  env: "INSTANCE_WEEK_START",
  type: oneOf("monday", "sunday"),
  default: "monday",
  doc: "First day of the week of new sites, and of questions about sites whose weeks start on different days.",
  live: true
})
export const ENABLE_PASSWORD_LOGIN = define({
  env: "ENABLE_PASSWORD_LOGIN",
  type: onOff,
  default: true,
  doc: "Whether users may sign in with passwords. Turning it off requires `OIDC_ISSUER` and `OIDC_CLIENT_ID`, and also ends invitations and links to reset a password.",
  live: true
})
export const SESSION_IDLE_MINUTES = define({
  env: "SESSION_IDLE_MINUTES",
  type: integer({ min: 5, max: YEAR, unit: "minutes" }),
  default: 20_160,
  defaultText: "20160: two weeks",
  doc: "A user who does nothing for this long is signed out.",
  live: true
})
export const SESSION_MAX_MINUTES = define({
  env: "SESSION_MAX_MINUTES",
  type: integer({ min: 5, max: 2 * YEAR, unit: "minutes" }),
  default: 129_600,
  defaultText: "129600: 90 days",
  doc: "A user has to sign in again after this long, active or not.",
  live: true
})
export const AUDIT_RETENTION_DAYS = define({
  env: "AUDIT_RETENTION_DAYS",
  type: integer({ min: 1, max: 3_650, unit: "days" }),
  default: 365,
  doc: "How long the audit log keeps its entries.",
  live: true
})
