import type { QuestionSite } from "../../../src/query/plan/context.ts"

/** A site as a question sees it, with these fields. */
export const questionSite = (fields: Pick<QuestionSite, "id" | "name"> & Partial<QuestionSite>): QuestionSite => ({
  timezone: "UTC",
  weekStart: "monday",
  currency: "EUR",
  definitions: "strict",
  domains: [],
  archived: false,
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
  ...fields
})
