import { Predicate } from "effect"

/** The `code` of a system's error (`ENOSPC`, `ECONNREFUSED`), or "". */
export const errorCode = (error: unknown): string =>
  Predicate.isObject(error) && "code" in error && typeof error["code"] === "string" ? error["code"] : ""
