import { SIZE } from "../domain/columnSizes.ts"
import { cut } from "../lib/strings.ts"
import { MAX_NUMBER } from "./limits.ts"

export interface Revenue {
  readonly revenue: number | null
  readonly currency: string | null
}

export const NO_REVENUE: Revenue = { revenue: null, currency: null }

/** Umami's revenue: a top-level `revenue` above 0 (a numeric string counts) with a `currency`, which is upper-cased. */
export const resolveRevenue = (data: Readonly<Record<string, unknown>> | undefined): Revenue => {
  if (data === undefined || !Object.hasOwn(data, "revenue") || !Object.hasOwn(data, "currency")) return NO_REVENUE
  const { revenue, currency } = data
  if (typeof currency !== "string" || currency === "") return NO_REVENUE
  if (typeof revenue !== "number" && typeof revenue !== "string") return NO_REVENUE
  const amount = Number(revenue)
  if (!(amount > 0) || amount >= MAX_NUMBER) return NO_REVENUE
  return { revenue: amount, currency: cut(currency.toUpperCase(), SIZE.currency) }
}
