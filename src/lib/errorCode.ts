import { Predicate } from "effect"

/** What a system's error calls itself (`ENOSPC`, `ECONNREFUSED`, Postgres' SQLSTATE), else "". */
export const errorCode = (error: unknown): string =>
  Predicate.isObject(error) && "code" in error && typeof error["code"] === "string" ? error["code"] : ""
