import type { Context } from "effect"
import { OpenApi } from "effect/http-api"

/** An endpoint's title and description in the documentation. */
export const endpointDocs = (summary: string, description?: string): Context.Context<never> =>
  OpenApi.annotations({ summary, ...(description !== undefined && { description }) })
