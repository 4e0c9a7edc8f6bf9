import { UUID_PATTERN } from "../ids.ts"

/** What a question refers to that is saved: kinds of content, by their ids in lower case. */
export interface References {
  readonly cards: ReadonlySet<string>
  readonly segments: ReadonlySet<string>
  readonly cohorts: ReadonlySet<string>
}

/** JSON is nested less deeply than this, or it is not a question. */
const MAX_DEPTH = 200

/**
 * Finds what a question, or a part of one, refers to: `{"card": id}` as a source, and the filters `["segment", id]` and `["cohort", id]`.
 * Reads any JSON; whether it is a question is for others to check.
 */
export const referencesOf = (json: unknown): References => {
  const found = { cards: new Set<string>(), segments: new Set<string>(), cohorts: new Set<string>() }
  const visit = (value: unknown, depth: number): void => {
    if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return
    if (Array.isArray(value)) {
      const id = idOf(value[1])
      if (id !== null && value[0] === "segment") found.segments.add(id)
      if (id !== null && value[0] === "cohort") found.cohorts.add(id)
    } else {
      const id = "card" in value ? idOf(value.card) : null
      if (id !== null) found.cards.add(id)
    }
    for (const part of Object.values(value)) visit(part, depth + 1)
  }
  visit(json, 0)
  return found
}

const idOf = (given: unknown): string | null =>
  typeof given === "string" && UUID_PATTERN.test(given) ? given.toLowerCase() : null
