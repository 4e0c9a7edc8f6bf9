import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { openPool } from "../../../../layers/postgres/client/openPool.ts"
import { notTested } from "../../../support/notTested.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { connect } from "../../../support/postgres/database.ts"
import { temporaryFolder } from "../../../support/postgres/postgres.ts"
import { PostgresServer } from "../../../support/postgres/postgresServer.ts"

setDefaultTimeout(180_000)

const HAS_OPENSSL = Bun.which("openssl") !== null
if (!HAS_OPENSSL) notTested("TLS to Postgres: openssl, which makes the certificates, is not installed.")

const openssl = (...args: ReadonlyArray<string>): void => {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args])
  if (exitCode !== 0) throw new Error(stderr.toString())
}

/** A certificate authority, and certificates that it issued: for the name `localhost`, and for the role `postgres`. */
const makeCertificates = () => {
  const folder = join(temporaryFolder(), "tls")
  mkdirSync(folder)
  const at = (name: string) => join(folder, name)
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-subj",
    "/CN=Test CA",
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem")
  )
  for (const name of ["localhost", "postgres"]) {
    openssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      `/CN=${name}`,
      "-addext",
      `subjectAltName=DNS:${name}`,
      "-keyout",
      at(`${name}.key`),
      "-out",
      at(`${name}.csr`)
    )
    openssl(
      "x509",
      "-req",
      "-in",
      at(`${name}.csr`),
      "-CA",
      at("ca.pem"),
      "-CAkey",
      at("ca.key"),
      "-CAcreateserial",
      "-copy_extensions",
      "copy",
      "-out",
      at(`${name}.pem`)
    )
  }
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-subj",
    "/CN=Other CA",
    "-keyout",
    at("other.key"),
    "-out",
    at("other.pem")
  )
  return at
}

const IS_ENCRYPTED = "SELECT ssl AS encrypted, client_dn AS client FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

/** What a connection with this URL is like, or why there is none. */
const connectWith = (url: string): Promise<object | string> =>
  run(
    openPool({ url: Redacted.make(url), embedded: false }, {}, { maxConnections: 1 }).pipe(
      Effect.flatMap((sql) => Effect.orDie(sql.unsafe<object>(IS_ENCRYPTED))),
      Effect.match({ onSuccess: ([row]) => row!, onFailure: ({ message }) => message })
    )
  )

describe.skipIf(!HAS_OPENSSL)("TLS to Postgres", () => {
  let server: PostgresServer
  let at: (name: string) => string
  beforeAll(async () => {
    at = makeCertificates()
    server = await PostgresServer.start({
      files: {
        "server.crt": readFileSync(at("localhost.pem")),
        "server.key": readFileSync(at("localhost.key")),
        "clients.crt": readFileSync(at("ca.pem"))
      },
      settings: { ssl: "on", ssl_ca_file: "clients.crt" }
    })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const url = (host: string, query: string) =>
    `postgres://postgres@${host}:${server.port}/postgres?${query}`.replaceAll("CA", encodeURIComponent(at("ca.pem")))

  const encrypted = { encrypted: true, client: null }
  const plain = { encrypted: false, client: null }
  const CASES: ReadonlyArray<readonly [query: string, host: string, outcome: object | RegExp]> = [
    ["", "127.0.0.1", encrypted],
    ["sslmode=disable", "127.0.0.1", plain],
    ["sslmode=allow", "127.0.0.1", plain],
    ["sslmode=prefer", "127.0.0.1", encrypted],
    ["sslmode=require", "127.0.0.1", encrypted],
    ["ssl=true", "127.0.0.1", encrypted],
    ["sslmode=verify-ca&sslrootcert=CA", "127.0.0.1", encrypted],
    ["sslmode=verify-full&sslrootcert=CA", "localhost", encrypted],
    ["sslmode=verify-full&sslrootcert=CA", "127.0.0.1", /Can't connect/],
    ["sslmode=verify-full&sslrootcert=system", "localhost", /Can't connect/],
    [
      "sslmode=verify-full",
      "localhost",
      /sslmode=verify-full requires the server's root certificate.*sslrootcert=system/
    ]
  ]
  test.each(CASES)("with %p to %p, the connection is %p", async (query, host, outcome) => {
    const found = await connectWith(url(host, query))
    if (outcome instanceof RegExp) expect(found).toMatch(outcome)
    else expect(found).toEqual(outcome)
  })

  test("a certificate of another authority is refused by verify-ca, and by require with a root certificate", async () => {
    const other = `sslrootcert=${encodeURIComponent(at("other.pem"))}`
    expect(await connectWith(url("localhost", `sslmode=verify-ca&${other}`))).toMatch(/Can't connect/)
    expect(await connectWith(url("localhost", `sslmode=require&${other}`))).toMatch(/Can't connect/)
  })

  test("sslcert and sslkey present the client's certificate", async () => {
    const client = `sslcert=${encodeURIComponent(at("postgres.pem"))}&sslkey=${encodeURIComponent(at("postgres.key"))}`
    expect(await connectWith(url("127.0.0.1", `sslmode=require&${client}`))).toEqual({
      encrypted: true,
      client: "/CN=postgres"
    })
    expect(await connectWith(url("127.0.0.1", "sslmode=require&sslcert=/nowhere.pem&sslkey=/nowhere.key"))).toMatch(
      /the file of sslcert can't be read/
    )
  })

  test("allow uses TLS if the server refuses a connection without it", async () => {
    await using database = await connect(server.url, 1)
    await database.query("SELECT 1")
    server.replaceFile("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n")
    await database.query("SELECT pg_reload_conf()")
    await Bun.sleep(200)
    expect(await connectWith(url("127.0.0.1", "sslmode=allow"))).toEqual(encrypted)
    expect(await connectWith(url("127.0.0.1", "sslmode=disable"))).toMatch(/no pg_hba\.conf entry.*\(28000\)/)
  })
})

test("without TLS on the server, prefer connects and require does not", async () => {
  await using server = await PostgresServer.start()
  expect(await connectWith(`${server.url}?sslmode=prefer`)).toEqual({ encrypted: false, client: null })
  expect(await connectWith(`${server.url}?sslmode=require`)).toMatch(/Can't connect/)
})

test("options of the URL reach the server", async () => {
  await using server = await PostgresServer.start()
  const found = await run(
    openPool(
      { url: Redacted.make(`${server.url}?options=-c%20search_path%3Dfootfall`), embedded: false },
      {},
      { maxConnections: 1 }
    ).pipe(Effect.flatMap((sql) => sql.unsafe("SHOW search_path")))
  )
  expect(found).toEqual([{ search_path: "footfall" }])
})
