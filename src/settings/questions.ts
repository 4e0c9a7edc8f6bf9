import { settingsOf } from "./Setting.ts"
import { integer } from "./types.ts"

const define = settingsOf("Questions")

export const QUESTION_MAX_ROWS = define({
  env: "QUESTION_MAX_ROWS",
  type: integer({ min: 1, max: 100_000 }),
  default: 2_000,
  doc: "How many rows a question that lists rows shows. An export has all of them."
})
export const QUESTION_MAX_GROUPS = define({
  env: "QUESTION_MAX_GROUPS",
  type: integer({ min: 1, max: 100_000 }),
  default: 10_000,
  doc: "How many rows a question that groups shows. An export has all of them."
})
export const QUESTIONS_AT_ONCE = define({
  env: "QUESTIONS_AT_ONCE",
  type: integer({ min: 1, max: 256 }),
  default: 16,
  doc: "How many questions run at the same time; further ones wait."
})
export const QUESTIONS_AT_ONCE_PER_USER = define({
  env: "QUESTIONS_AT_ONCE_PER_USER",
  type: integer({ min: 1, max: 256 }),
  default: 4,
  doc: "How many questions of one user or API key run at the same time; further ones wait."
})
export const QUESTION_QUEUE_SECONDS = define({
  env: "QUESTION_QUEUE_SECONDS",
  type: integer({ min: 1, max: 600, unit: "seconds" }),
  default: 30,
  doc: "How long a question waits for its turn. Then it is answered with 503."
})
export const QUESTION_CACHE_BYTES = define({
  env: "QUESTION_CACHE_BYTES",
  type: integer({ min: 0, max: 16 * 1_073_741_824, unit: "bytes" }),
  default: 64 * 1_048_576,
  doc: "Memory for answers that are kept in case the same question is asked again; 0 keeps none."
})
export const QUESTION_CACHE_SECONDS = define({
  env: "QUESTION_CACHE_SECONDS",
  type: integer({ min: 0, max: 86_400, unit: "seconds" }),
  default: 5,
  doc: "How long an answer may be reused when there is newer data. An answer says when it was computed and up to when its data is complete."
})
export const FIELD_SCAN_INTERVAL_SECONDS = define({
  env: "FIELD_SCAN_INTERVAL_SECONDS",
  type: integer({ min: 60, max: 604_800, unit: "seconds" }),
  default: 3_600,
  doc: "How often the newest values of fields are read for their fingerprints and lists of values, by one `full` of the instance."
})
