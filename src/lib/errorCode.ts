import { Predicate } from "effect"

/** The code of an error (`ENOSPC`, `ECONNREFUSED`, or a SQLSTATE), or "". */
export const errorCode = (error: unknown): string =>
  Predicate.isObject(error) && "code" in error && typeof error["code"] === "string" ? error["code"] : ""
