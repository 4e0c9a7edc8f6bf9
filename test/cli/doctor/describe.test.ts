import { describe, expect, test } from "bun:test"
import type { Check } from "../../../src/cli/doctor/Check.ts"
import { describe as describeFinding } from "../../../src/cli/doctor/describe.ts"
import type { Finding } from "../../../src/ports/Diagnostics.ts"
import type { ReportedReplica } from "../../../src/ports/ReplicaAdmin.ts"

type Row = readonly [finding: Finding, about: string, state: Check["state"], found: string, hint?: string]

const REPLICA: ReportedReplica = {
  host: "db1",
  folder: "/data/replica",
  reportedAt: 0,
  isRunning: true,
  status: {
    phase: "following",
    why: null,
    isUsable: true,
    progress: null,
    asOf: "2026-03-28T22:50:00.123456Z",
    version: "1",
    bytes: 1,
    check: null
  }
}

const ROWS: ReadonlyArray<Row> = [
  [
    { _tag: "ReplicaFound", replica: REPLICA },
    "replica",
    "ok",
    "the one in /data/replica on db1 answers questions, as of 2026-03-28T22:50:00.123456Z"
  ],
  [
    {
      _tag: "ReplicaFound",
      replica: {
        ...REPLICA,
        status: {
          ...REPLICA.status!,
          phase: "rebuilding",
          isUsable: false,
          progress: { rows: 5, total: 10, linked: null }
        }
      }
    },
    "replica",
    "note",
    "the one in /data/replica on db1 is being rebuilt: 5 of about 10 events; Postgres answers questions meanwhile"
  ],
  [
    {
      _tag: "ReplicaFound",
      replica: {
        ...REPLICA,
        status: { ...REPLICA.status!, phase: "waiting", isUsable: false, why: "the disk is full" }
      }
    },
    "replica",
    "bad",
    "the one in /data/replica on db1 can't answer questions: the disk is full"
  ],
  [
    { _tag: "ReplicaFound", replica: { ...REPLICA, isRunning: false } },
    "replica",
    "note",
    "the one in /data/replica on db1 is not running",
    "Its `full` does not run, or can't reach Postgres."
  ],
  [
    { _tag: "ReplicaMissing" },
    "replica",
    "note",
    "none follows this database yet; Postgres answers questions",
    "`bun run full` keeps one in DATA_DIR."
  ],
  [{ _tag: "Environment", variables: ["PORT", "HOST"] }, "environment", "ok", "sets PORT, HOST"],
  [{ _tag: "Environment", variables: [] }, "environment", "ok", "sets nothing; every setting has its default"],
  [
    { _tag: "InvalidVariable", problem: 'PORT is "x"; it accepts 0 to 65535.' },
    "environment",
    "bad",
    'PORT is "x"; it accepts 0 to 65535.',
    "Correct the variable; the server does not start with it."
  ],
  [
    { _tag: "CannotStart", subject: "secret", message: "The secret is a known placeholder." },
    "secret",
    "bad",
    "The secret is a known placeholder.",
    "The server does not start with this."
  ],
  [
    { _tag: "DatabaseReachable", embedded: true, location: ".footfall" },
    "database",
    "ok",
    "the embedded Postgres in .footfall is reachable"
  ],
  [
    { _tag: "DatabaseReachable", embedded: false, location: "db.example:5432" },
    "database",
    "ok",
    "the Postgres at db.example:5432 is reachable"
  ],
  [
    { _tag: "DatabaseUnreachable", embedded: false, message: "Can't connect." },
    "database",
    "bad",
    "Can't connect.",
    "Check that it is running and accepts connections from this machine."
  ],
  [
    { _tag: "DatabaseUnreachable", embedded: true, message: "Can't connect." },
    "database",
    "bad",
    "Can't connect.",
    "Its log is postgres.log in DATA_DIR."
  ],
  [
    { _tag: "Migrated", latest: "0005_rows", count: 5 },
    "migrations",
    "ok",
    "up to date: 5 migrations, the latest is 0005_rows"
  ],
  [
    { _tag: "MigrationsPending", names: ["0004_lake", "0005_rows"] },
    "migrations",
    "note",
    "not applied yet: 0004_lake, 0005_rows",
    "The next start applies them; `bun run footfall migrate` applies them now."
  ],
  [
    { _tag: "MigratedByNewerVersion", names: ["0099_later"] },
    "migrations",
    "note",
    "the database was migrated by a newer Footfall (0099_later)",
    "Upgrade this installation."
  ],
  [{ _tag: "SettingsTable", names: [] }, "settings", "ok", "the settings table is empty"],
  [{ _tag: "SettingsTable", names: ["cors-max-age"] }, "settings", "ok", "the settings table sets cors-max-age"],
  [
    { _tag: "InvalidSetting", name: "cors-max-age", problem: 'CORS_MAX_AGE is "soon".' },
    "settings",
    "bad",
    'cors-max-age: CORS_MAX_AGE is "soon".'
  ],
  [{ _tag: "SettingsUnavailable", message: "No connection." }, "settings", "bad", "No connection."],
  [{ _tag: "Secret", source: "APP_SECRET" }, "secret", "ok", "from APP_SECRET"],
  [
    { _tag: "Secret", source: "database" },
    "secret",
    "ok",
    "generated, stored in the database and shared by every process"
  ],
  [{ _tag: "License", state: { _tag: "Open" } }, "license", "ok", "FEATURE_GATE is open: no license is required"],
  [
    { _tag: "License", state: { _tag: "Licensed", expiresAt: Date.UTC(2027, 0, 1) } },
    "license",
    "ok",
    "valid until 2027-01-01T00:00:00.000Z"
  ],
  [
    { _tag: "License", state: { _tag: "Off", why: "no license token is set" } },
    "license",
    "bad",
    "product analytics is off: no license token is set",
    "`bun run footfall settings set license-token …` installs a new license without a restart."
  ],
  [
    {
      _tag: "ProxyTrust",
      value: "loopback",
      meaning: "only loopback is trusted",
      trustsEveryone: false,
      clientIpHeader: "x-real-ip"
    },
    "proxies",
    "ok",
    "TRUST_PROXY is loopback: only loopback is trusted; x-real-ip takes precedence"
  ],
  [
    { _tag: "ProxyTrust", value: "all", meaning: "every peer is trusted", trustsEveryone: true, clientIpHeader: null },
    "proxies",
    "note",
    "TRUST_PROXY is all: every peer is trusted",
    "Set it to your proxies' addresses, otherwise clients can spoof their IP address."
  ],
  [
    { _tag: "Geo", state: { _tag: "Loading", why: "/geo.mmdb is being loaded." } },
    "geo",
    "note",
    "no locations from IP addresses: /geo.mmdb is being loaded.",
    "Set GEOLITE_DB_PATH to a MaxMind file such as GeoLite2-City.mmdb, or rely on a CDN's location headers."
  ],
  [
    {
      _tag: "Geo",
      state: {
        _tag: "On",
        path: "/geo.mmdb",
        databaseType: "GeoLite2-City",
        builtAt: new Date("2026-09-21T14:13:20Z"),
        reloadError: null
      }
    },
    "geo",
    "ok",
    "GeoLite2-City of 2026-09-21, /geo.mmdb"
  ],
  [
    {
      _tag: "Geo",
      state: {
        _tag: "On",
        path: "/geo.mmdb",
        databaseType: "GeoLite2-City",
        builtAt: new Date("2026-09-21T14:13:20Z"),
        reloadError: "GEOLITE_DB_PATH: /geo.mmdb is empty."
      }
    },
    "geo",
    "note",
    "GEOLITE_DB_PATH: /geo.mmdb is empty.",
    "The database loaded before stays in use."
  ],
  [{ _tag: "StorageWritable", backend: "postgres" }, "storage", "ok", "postgres can be written to"],
  [
    { _tag: "LakePart", part: "bucket", state: "bad", message: "The bucket lake does not exist." },
    "lake",
    "bad",
    "bucket: The bucket lake does not exist."
  ],
  [
    { _tag: "SpoolLeft", folder: "/spool/0", bytes: 44 },
    "spool",
    "bad",
    "/spool/0 has 44 bytes of events that are not in the lake",
    "Start a collector with STORAGE_BACKEND=iceberg and the lake's settings once; it flushes them."
  ],
  [
    { _tag: "StorageUnavailable", backend: "postgres", message: "No connection." },
    "storage",
    "bad",
    "postgres can't be written to: No connection."
  ],
  [{ _tag: "WarehouseReady", engine: "trino", isBehindReplica: false }, "warehouse", "ok", "trino answers queries"],
  [
    { _tag: "WarehouseReady", engine: "postgres", isBehindReplica: true },
    "warehouse",
    "ok",
    "postgres answers queries when the replica can't, and those of commands"
  ],
  [
    { _tag: "WarehouseUnavailable", engine: "trino", message: "Trino can't be reached.\nSELECT 1" },
    "warehouse",
    "bad",
    "trino does not answer queries: Trino can't be reached."
  ],
  [
    { _tag: "ReaderReady", role: "footfall_reader" },
    "reader",
    "ok",
    "queries run as footfall_reader, which can only read the views"
  ],
  [
    { _tag: "ReaderMissing", problem: "app may not become it", remedy: "GRANT footfall_reader TO app;" },
    "reader",
    "note",
    "queries run as the application's own role: app may not become it",
    "Run as an administrator, and restart: GRANT footfall_reader TO app;"
  ],
  [{ _tag: "WarehouseMissing", message: "Set WAREHOUSE." }, "warehouse", "note", "Set WAREHOUSE."],
  [
    { _tag: "SiteCount", count: 0 },
    "sites",
    "note",
    "none yet",
    'Create one: `bun run footfall sites create --name "My site" --domain example.com`.'
  ],
  [{ _tag: "SiteCount", count: 1 }, "sites", "ok", "1 live site"],
  [{ _tag: "SitesUnavailable", message: "No connection." }, "sites", "bad", "No connection."],
  [
    { _tag: "AdministratorCount", count: 0, isSetupOpen: true },
    "people",
    "note",
    "no administrator yet",
    'Open the link that `bun run full` prints when it starts, or create one: `bun run footfall users create --email ada@example.com --name "Ada Lovelace" --admin`.'
  ],
  [
    { _tag: "AdministratorCount", count: 0, isSetupOpen: false },
    "people",
    "note",
    "no administrator",
    'Create one: `bun run footfall users create --email ada@example.com --name "Ada Lovelace" --admin`.'
  ],
  [{ _tag: "AdministratorCount", count: 2, isSetupOpen: false }, "people", "ok", "2 administrators"],
  [
    { _tag: "MappedGroupMissing", name: "Staff" },
    "people",
    "note",
    'OIDC_GROUP_MAP names the group "Staff", which does not exist',
    "Create it (`bun run footfall groups create`), or correct the name."
  ],
  [
    { _tag: "IdentityProviderUnfinished", set: "OIDC_ISSUER", missing: "OIDC_CLIENT_ID" },
    "people",
    "note",
    "OIDC_ISSUER is set but OIDC_CLIENT_ID is not, so users can't sign in with the identity provider",
    "Set OIDC_CLIENT_ID, or unset OIDC_ISSUER."
  ],
  [
    { _tag: "IdentityProviderReady", issuer: "https://accounts.example.com" },
    "people",
    "ok",
    "the identity provider https://accounts.example.com is reachable"
  ],
  [
    {
      _tag: "IdentityProviderUnavailable",
      issuer: "https://accounts.example.com",
      problem: "nothing listens there",
      isPasswordLoginOn: true
    },
    "people",
    "note",
    "the identity provider https://accounts.example.com can't be used: nothing listens there",
    "Check OIDC_ISSUER, and that this machine can reach the provider. Meanwhile, users can sign in only with passwords."
  ],
  [
    {
      _tag: "IdentityProviderUnavailable",
      issuer: "https://accounts.example.com",
      problem: "nothing listens there",
      isPasswordLoginOn: false
    },
    "people",
    "bad",
    "the identity provider https://accounts.example.com can't be used: nothing listens there",
    "Check OIDC_ISSUER, and that this machine can reach the provider. Meanwhile, no one can sign in, unless you turn ENABLE_PASSWORD_LOGIN on."
  ],
  [{ _tag: "PeopleUnavailable", message: "No connection." }, "people", "bad", "No connection."],
  [
    { _tag: "LocalClient", ip: "127.0.0.1", why: "The address is the connection's." },
    "client",
    "ok",
    "a program on this machine that sends events without a proxy has the address 127.0.0.1. The address is the connection's."
  ]
]

describe("doctor's report", () => {
  test.each(
    ROWS.map(([finding, about, state, found, hint]) => ({ tag: finding._tag, finding, about, state, found, hint }))
  )("the finding $tag is reported under $about as $state", ({ finding, about, state, found, hint }) => {
    expect(describeFinding(finding)).toEqual({ about, state, found, ...(hint !== undefined && { hint }) })
  })
})
