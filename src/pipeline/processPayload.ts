import { decodeBody } from "./decodeBody.ts"
import { findSource } from "./findSource.ts"
import { flattenProperties } from "./flattenProperties.ts"
import { readToken } from "./readToken.ts"
import { rejectBots } from "./rejectBots.ts"
import { rejectForeignOrigins } from "./rejectForeignOrigins.ts"
import { rejectIgnoredAddresses } from "./rejectIgnoredAddresses.ts"
import { requireLicense } from "./requireLicense.ts"
import { resolveClient } from "./resolveClient.ts"
import { resolvePage } from "./resolvePage.ts"
import { resolveTime } from "./resolveTime.ts"
import { resolveVisit } from "./resolveVisit.ts"
import { pipeline } from "./Step.ts"
import { store } from "./store.ts"
import { takeFromRateLimit } from "./takeFromRateLimit.ts"

/** One payload of `/api/send`, from its JSON value to a stored record, as in Umami 3.1. Succeeds once the record is durable. */
export const processPayload = pipeline(
  requireLicense,
  decodeBody,
  findSource,
  rejectForeignOrigins,
  readToken,
  resolveClient,
  rejectBots,
  rejectIgnoredAddresses,
  takeFromRateLimit,
  resolveTime,
  resolveVisit,
  resolvePage,
  flattenProperties,
  store
)
