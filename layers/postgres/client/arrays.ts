import { PgTypes } from "@effect/sql-pg"
import { Result } from "effect"

const arrayOf = (oid: number) => (values: Iterable<unknown>) => Result.getOrThrow(PgTypes.array([...values], oid))

/** Parameters for Postgres' arrays. The driver requires their type. */
export const textArray: (values: Iterable<string>) => unknown = arrayOf(PgTypes.OID.text)
export const uuidArray: (values: Iterable<string>) => unknown = arrayOf(PgTypes.OID.uuid)
export const intArray: (values: Iterable<number>) => unknown = arrayOf(PgTypes.OID.int4)
export const floatArray: (values: Iterable<number>) => unknown = arrayOf(PgTypes.OID.float8)
