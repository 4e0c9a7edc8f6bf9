import { Predicate } from "effect"

/** A system error's code (`ENOSPC`, `ECONNREFUSED`, Postgres's SQLSTATE), or "". */
export const errorCode = (error: unknown): string =>
  Predicate.isObject(error) && "code" in error && typeof error["code"] === "string" ? error["code"] : ""
