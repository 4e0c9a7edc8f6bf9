import { SQL } from "bun"
import { CREDENTIALS } from "./credentials.ts"
import { port } from "./place.ts"

/** URL of the server that `services up postgres` starts. */
export const postgresUrl = (database: string): string =>
  `postgres://${CREDENTIALS.postgres.user}:${CREDENTIALS.postgres.password}@127.0.0.1:${port("postgres")}/${database}`

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Runs statements on the server's default database, one after the other, on a connection that is closed afterwards. */
export const withServer = async <A>(run: (sql: SQL) => Promise<A>, database = "postgres"): Promise<A> => {
  const sql = new SQL(postgresUrl(database), { max: 1, connectionTimeout: 5 })
  try {
    return await run(sql)
  } finally {
    await sql.close()
  }
}

/** Creates the database if it does not exist; returns its URL. */
export const ensureDatabase = async (name: string): Promise<string> => {
  await withServer(async (sql) => {
    const found = await sql`SELECT 1 FROM pg_database WHERE datname = ${name}`
    if (found.length === 0) await sql.unsafe(`CREATE DATABASE ${quoted(name)}`)
  })
  return postgresUrl(name)
}

/** Drops the database with everything in it, closing other clients' connections. */
export const dropDatabase = (name: string): Promise<void> =>
  withServer(async (sql) => {
    await sql.unsafe(`DROP DATABASE IF EXISTS ${quoted(name)} WITH (FORCE)`)
  })
