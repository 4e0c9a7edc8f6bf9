import { Layer } from "effect"
import * as ArgonPasswords from "../../layers/inprocess/ArgonPasswords.ts"
import * as LoginBuckets from "../../layers/inprocess/LoginBuckets.ts"
import * as LocalSecretFile from "../../layers/local/LocalSecretFile.ts"
import * as OidcSignOn from "../../layers/oidc/OidcSignOn.ts"
import * as PgAdminKeys from "../../layers/postgres/control/PgAdminKeys.ts"
import * as PeopleJob from "../../layers/postgres/control/people/PeopleJob.ts"
import * as PgAuditLog from "../../layers/postgres/control/people/PgAuditLog.ts"
import * as PgGroups from "../../layers/postgres/control/people/PgGroups.ts"
import * as PgSetup from "../../layers/postgres/control/people/PgSetup.ts"
import * as PgUserSessions from "../../layers/postgres/control/people/PgUserSessions.ts"
import * as PgUsers from "../../layers/postgres/control/people/PgUsers.ts"

/** Who may use the instance, and what they may do: keys, users, their sessions and groups, and the audit log. */
export const people = Layer.mergeAll(
  PgAdminKeys.layer,
  PgAuditLog.layer,
  PgGroups.layer,
  PgSetup.layer,
  PgUserSessions.layer,
  PgUsers.layer
).pipe(Layer.provideMerge(ArgonPasswords.layer))

/** What a server needs in addition, to sign users in and to accept commands on the same machine. */
export const servingPeople = Layer.mergeAll(
  people,
  PeopleJob.layer,
  LoginBuckets.layer,
  LocalSecretFile.layer,
  OidcSignOn.layer
)
