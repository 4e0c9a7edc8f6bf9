import { SIZE } from "../domain/columnSizes.ts"
import { cut } from "../lib/strings.ts"
import { MAX_NUMBER } from "./limits.ts"

export interface Revenue {
  readonly revenue: number | null
  readonly currency: string | null
}

export const NO_REVENUE: Revenue = { revenue: null, currency: null }

/** Umami's revenue: a top-level `revenue` above 0 (a numeric string counts) with a `currency`, which is trimmed and upper-cased. */
export const resolveRevenue = (data: Readonly<Record<string, unknown>> | undefined): Revenue => {
  if (data === undefined || !Object.hasOwn(data, "revenue") || !Object.hasOwn(data, "currency")) return NO_REVENUE
  const { revenue, currency } = data
  const code = typeof currency === "string" ? currency.trim().toUpperCase() : ""
  if (code === "") return NO_REVENUE
  if (typeof revenue !== "number" && typeof revenue !== "string") return NO_REVENUE
  const amount = Number(revenue)
  if (!(amount > 0) || amount >= MAX_NUMBER) return NO_REVENUE
  return { revenue: amount, currency: cut(code, SIZE.currency) }
}
