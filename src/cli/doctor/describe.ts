import { howToCreateAdministrator } from "../../domain/people.ts"
import { describeProgress } from "../../domain/rebuildProgress.ts"
import type { Finding } from "../../ports/Diagnostics.ts"
import type { GateState } from "../../ports/FeatureGate.ts"
import type { GeoState } from "../../ports/Geo.ts"
import type { ReportedReplica } from "../../ports/ReplicaAdmin.ts"
import { firstLine, plural } from "../output.ts"
import { bad, type Check, note, ok } from "./Check.ts"

const describeLicense = (state: GateState): Check => {
  switch (state._tag) {
    case "Open":
      return ok("license", "FEATURE_GATE is open: no license is required")
    case "Licensed":
      return ok("license", `valid until ${new Date(state.expiresAt).toISOString()}`)
    case "Off":
      return bad(
        "license",
        `product analytics is off: ${state.why}`,
        "`bun run footfall settings set license-token …` installs a new license without a restart."
      )
  }
}

const describeGeo = (state: GeoState): Check => {
  if (state._tag !== "On") {
    return note(
      "geo",
      `no locations from IP addresses: ${state.why}`,
      "Set GEOLITE_DB_PATH to a MaxMind file such as GeoLite2-City.mmdb, or rely on a CDN's location headers."
    )
  }
  return state.reloadError === null
    ? ok("geo", `${state.databaseType} of ${state.builtAt.toISOString().slice(0, 10)}, ${state.path}`)
    : note("geo", state.reloadError, "The database loaded before stays in use.")
}

const describeProxies = (finding: Finding & { readonly _tag: "ProxyTrust" }): Check => {
  const header = finding.clientIpHeader === null ? "" : `; ${finding.clientIpHeader} takes precedence`
  const found = `TRUST_PROXY is ${finding.value}: ${finding.meaning}${header}`
  return finding.trustsEveryone
    ? note("proxies", found, "Set it to your proxies' addresses, otherwise clients can spoof their IP address.")
    : ok("proxies", found)
}

const describeReplica = ({ folder, host, isRunning, status }: ReportedReplica): Check => {
  const name = `the one in ${folder} on ${host}`
  if (!isRunning || status === null) {
    return note("replica", `${name} is not running`, "Its `full` does not run, or can't reach Postgres.")
  }
  if (status.phase === "rebuilding") {
    const far = status.progress === null ? "" : `: ${describeProgress(status.progress)}`
    return note("replica", `${name} is being rebuilt${far}; Postgres answers questions meanwhile`)
  }
  if (!status.isUsable) return bad("replica", `${name} can't answer questions: ${status.why ?? status.phase}`)
  return ok("replica", `${name} answers questions, as of ${status.asOf}`)
}

const describeProvider = (finding: Finding & { readonly _tag: "IdentityProviderUnavailable" }): Check => {
  const found = `the identity provider ${finding.issuer} can't be used: ${finding.problem}`
  const hint = "Check OIDC_ISSUER, and that this machine can reach the provider."
  return finding.isPasswordLoginOn
    ? note("people", found, `${hint} Meanwhile, users can sign in only with passwords.`)
    : bad("people", found, `${hint} Meanwhile, no one can sign in, unless you turn ENABLE_PASSWORD_LOGIN on.`)
}

/** A finding in words, with what to do about it. */
export const describe = (finding: Finding): Check => {
  switch (finding._tag) {
    case "Environment":
      return ok(
        "environment",
        finding.variables.length === 0
          ? "sets nothing; every setting has its default"
          : `sets ${finding.variables.join(", ")}`
      )
    case "InvalidVariable":
      return bad("environment", finding.problem, "Correct the variable; the server does not start with it.")
    case "CannotStart":
      return bad(finding.subject, firstLine(finding.message), "The server does not start with this.")
    case "DatabaseReachable":
      return ok(
        "database",
        finding.embedded
          ? `the embedded Postgres in ${finding.location} is reachable`
          : `the Postgres at ${finding.location} is reachable`
      )
    case "DatabaseMissing":
      return note(
        "database",
        `DATA_DIR (${finding.location}) has no database yet`,
        "The first `bun run full` creates it. If there should be one, check DATA_DIR."
      )
    case "DatabaseUnreachable":
      return bad(
        "database",
        finding.message,
        finding.embedded
          ? "Its log is postgres.log in DATA_DIR."
          : "Check that it is running and accepts connections from this machine."
      )
    case "Migrated":
      return ok("migrations", `up to date: ${plural(finding.count, "migration")}, the latest is ${finding.latest}`)
    case "MigrationsPending":
      return note(
        "migrations",
        `not applied yet: ${finding.names.join(", ")}`,
        "The next start applies them; `bun run footfall migrate` applies them now."
      )
    case "MigratedByNewerVersion":
      return note(
        "migrations",
        `the database was migrated by a newer Footfall (${finding.names.join(", ")})`,
        "Upgrade this installation."
      )
    case "SettingsTable":
      return ok(
        "settings",
        finding.names.length === 0
          ? "the settings table is empty"
          : `the settings table sets ${finding.names.join(", ")}`
      )
    case "InvalidSetting":
      return bad("settings", `${finding.name}: ${finding.problem}`)
    case "SettingsUnavailable":
      return bad("settings", finding.message)
    case "Secret":
      return ok(
        "secret",
        finding.source === "database"
          ? "generated, stored in the database and shared by every process"
          : `from ${finding.source}`
      )
    case "License":
      return describeLicense(finding.state)
    case "ProxyTrust":
      return describeProxies(finding)
    case "Geo":
      return describeGeo(finding.state)
    case "StorageWritable":
      return ok("storage", `${finding.backend} can be written to`)
    case "StorageUnavailable":
      return bad("storage", `${finding.backend} can't be written to: ${finding.message}`)
    case "LakePart":
      return { about: "lake", state: finding.state, found: `${finding.part}: ${finding.message}` }
    case "SpoolLeft":
      return bad(
        "spool",
        `${finding.folder} has ${finding.bytes} bytes of events that are not in the lake`,
        "Start a collector with STORAGE_BACKEND=iceberg and the lake's settings once; it flushes them."
      )
    case "SpoolUnreadable":
      return bad("spool", `${finding.folder} can't be read: ${finding.message}`)
    case "WarehouseReady":
      return ok(
        "warehouse",
        finding.isBehindReplica
          ? `${finding.engine} answers queries when the replica can't, and those of commands`
          : `${finding.engine} answers queries`
      )
    case "WarehouseUnavailable":
      return bad("warehouse", `${finding.engine} does not answer queries: ${firstLine(finding.message)}`)
    case "ReaderReady":
      return ok("reader", `queries run as ${finding.role}, which can only read the views`)
    case "ReaderMissing":
      return note(
        "reader",
        `queries run as the application's own role: ${finding.problem}`,
        `Run as an administrator, and restart: ${finding.remedy}`
      )
    case "ReplicaFound":
      return describeReplica(finding.replica)
    case "ReplicaMissing":
      return note(
        "replica",
        "none follows this database yet; Postgres answers questions",
        "`bun run full` keeps one in DATA_DIR."
      )
    case "ReplicaUnknown":
      return bad("replica", finding.message)
    case "WarehouseMissing":
      return note("warehouse", finding.message)
    case "SiteCount":
      return finding.count === 0
        ? note(
            "sites",
            "none yet",
            'Create one: `bun run footfall sites create --name "My site" --domain example.com`.'
          )
        : ok("sites", plural(finding.count, "live site"))
    case "SitesUnavailable":
      return bad("sites", finding.message)
    case "AdministratorCount":
      return finding.count === 0
        ? note(
            "people",
            finding.isSetupOpen ? "no administrator yet" : "no administrator",
            howToCreateAdministrator(finding.isSetupOpen)
          )
        : ok("people", plural(finding.count, "administrator"))
    case "MappedGroupMissing":
      return note(
        "people",
        `OIDC_GROUP_MAP names the group ${JSON.stringify(finding.name)}, which does not exist`,
        "Create it (`bun run footfall groups create`), or correct the name."
      )
    case "IdentityProviderUnfinished":
      return note(
        "people",
        `${finding.set} is set but ${finding.missing} is not, so users can't sign in with the identity provider`,
        `Set ${finding.missing}, or unset ${finding.set}.`
      )
    case "IdentityProviderReady":
      return ok("people", `the identity provider ${finding.issuer} is reachable`)
    case "IdentityProviderUnavailable":
      return describeProvider(finding)
    case "PeopleUnavailable":
      return bad("people", finding.message)
    case "LocalClient":
      return ok(
        "client",
        `a program on this machine that sends events without a proxy has the address ${finding.ip}. ${finding.why}`
      )
  }
}
