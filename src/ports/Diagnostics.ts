import { Context, type Effect } from "effect"
import type { GateState } from "./FeatureGate.ts"
import type { GeoState } from "./Geo.ts"
import type { LakeProbe } from "./LakeAdmin.ts"
import type { ReportedReplica } from "./ReplicaAdmin.ts"

/** What a finding is about, in the order of the checks. */
export type Subject =
  | "environment"
  | "database"
  | "migrations"
  | "settings"
  | "secret"
  | "license"
  | "proxies"
  | "geo"
  | "tracker"
  | "storage"
  | "lake"
  | "warehouse"
  | "reader"
  | "replica"
  | "sites"
  | "people"
  | "client"

/** The result of one check. `message` and `problem` are sentences for operators, without secrets. */
export type Finding =
  /** Settings that the environment sets, by their variables' names. */
  | { readonly _tag: "Environment"; readonly variables: ReadonlyArray<string> }
  | { readonly _tag: "InvalidVariable"; readonly problem: string }
  /** A service that the server needs cannot be built, so the server would not start. */
  | { readonly _tag: "CannotStart"; readonly subject: Subject; readonly message: string }
  /** `location`: a data directory if embedded, otherwise host and port. */
  | { readonly _tag: "DatabaseReachable"; readonly embedded: boolean; readonly location: string }
  /** `DATA_DIR` has no embedded Postgres yet. */
  | { readonly _tag: "DatabaseMissing"; readonly location: string }
  | { readonly _tag: "DatabaseUnreachable"; readonly embedded: boolean; readonly message: string }
  | { readonly _tag: "Migrated"; readonly latest: string; readonly count: number }
  | { readonly _tag: "MigrationsPending"; readonly names: ReadonlyArray<string> }
  /** The database has migrations that this version does not know. */
  | { readonly _tag: "MigratedByNewerVersion"; readonly names: ReadonlyArray<string> }
  /** Settings that the settings table sets, by name. */
  | { readonly _tag: "SettingsTable"; readonly names: ReadonlyArray<string> }
  | { readonly _tag: "InvalidSetting"; readonly name: string; readonly problem: string }
  | { readonly _tag: "SettingsUnavailable"; readonly message: string }
  /** `source`: a variable's name, or `database` for a generated secret. */
  | { readonly _tag: "Secret"; readonly source: string }
  | { readonly _tag: "License"; readonly state: GateState }
  /** `meaning` explains the value of TRUST_PROXY in words. */
  | {
      readonly _tag: "ProxyTrust"
      readonly value: string
      readonly meaning: string
      readonly trustsEveryone: boolean
      readonly clientIpHeader: string | null
    }
  | { readonly _tag: "Geo"; readonly state: GeoState }
  | { readonly _tag: "StorageWritable"; readonly backend: string }
  | { readonly _tag: "StorageUnavailable"; readonly backend: string; readonly message: string }
  | ({ readonly _tag: "LakePart" } & LakeProbe)
  /** A spool with events of a backend that is not configured any more. */
  | { readonly _tag: "SpoolLeft"; readonly folder: string; readonly bytes: number }
  | { readonly _tag: "SpoolUnreadable"; readonly folder: string; readonly message: string }
  | { readonly _tag: "WarehouseReady"; readonly engine: string; readonly isBehindReplica: boolean }
  | { readonly _tag: "WarehouseUnavailable"; readonly engine: string; readonly message: string }
  /** Queries of the app database run as a role that can only read the views. */
  | { readonly _tag: "ReaderReady"; readonly role: string }
  /** They run as the application's role. `remedy` is the SQL that an administrator runs. */
  | { readonly _tag: "ReaderMissing"; readonly problem: string; readonly remedy: string }
  /** A replica that follows the app database, as it last reported. */
  | { readonly _tag: "ReplicaFound"; readonly replica: ReportedReplica }
  /** None has registered yet. */
  | { readonly _tag: "ReplicaMissing" }
  | { readonly _tag: "ReplicaUnknown"; readonly message: string }
  /** No engine can answer queries with these settings, or there are no tables yet. */
  | { readonly _tag: "WarehouseMissing"; readonly message: string }
  /** Live sites. */
  | { readonly _tag: "SiteCount"; readonly count: number }
  | { readonly _tag: "SitesUnavailable"; readonly message: string }
  /** Active ones. */
  /** `isSetupOpen`: `full` prints a link with which the first one is created. */
  | { readonly _tag: "AdministratorCount"; readonly count: number; readonly isSetupOpen: boolean }
  /** A group of `OIDC_GROUP_MAP` that does not exist. */
  | { readonly _tag: "MappedGroupMissing"; readonly name: string }
  /** Users can't sign in with a provider, since only one of its two settings is set. */
  | { readonly _tag: "IdentityProviderUnfinished"; readonly set: string; readonly missing: string }
  /** The provider of `OIDC_ISSUER` describes itself as it must. */
  | { readonly _tag: "IdentityProviderReady"; readonly issuer: string }
  /** Users can't sign in with it; without passwords, they can't sign in at all. `problem` ends a sentence. */
  | {
      readonly _tag: "IdentityProviderUnavailable"
      readonly issuer: string
      readonly problem: string
      readonly isPasswordLoginOn: boolean
    }
  | { readonly _tag: "PeopleUnavailable"; readonly message: string }
  /** What an event sent directly from this machine would get. */
  | { readonly _tag: "LocalClient"; readonly ip: string; readonly why: string }

/** Checks this machine's instance: its configuration and the services that it depends on. */
export class Diagnostics extends Context.Service<
  Diagnostics,
  {
    /** Runs every check that is possible. A failed check is a finding, not an error. */
    readonly run: Effect.Effect<ReadonlyArray<Finding>>
  }
>()("footfall/ports/Diagnostics") {}
