import { describe, expect, test } from "bun:test"
import { type Action, Principal, type Resource, type Role, rolesAllowed } from "../../src/domain/Principal.ts"

const principal = (role: Role) => new Principal({ id: "94488cc1-2cd1-499b-83fc-bd7afd4cbcad", name: "ci", role })

/** Every action on every resource, with the roles that may take it. */
const POLICY: ReadonlyArray<readonly [Action, Resource, ReadonlyArray<Role>]> = [
  ["read", "sites", ["admin"]],
  ["create", "sites", ["admin"]],
  ["update", "sites", ["admin"]],
  ["delete", "sites", ["admin"]],
  ["read", "stats", ["admin", "viewer"]],
  ["create", "stats", []],
  ["update", "stats", []],
  ["delete", "stats", []],
  ["read", "rejections", ["admin", "viewer"]],
  ["create", "rejections", []],
  ["update", "rejections", []],
  ["delete", "rejections", []],
  ["read", "settings", ["admin"]],
  ["create", "settings", []],
  ["update", "settings", ["admin"]],
  ["delete", "settings", ["admin"]],
  ["read", "keys", ["admin"]],
  ["create", "keys", ["admin"]],
  ["update", "keys", []],
  ["delete", "keys", ["admin"]],
  ["read", "status", ["admin", "viewer"]],
  ["create", "status", []],
  ["update", "status", []],
  ["delete", "status", []],
  ["read", "client", ["admin", "viewer"]],
  ["create", "client", []],
  ["update", "client", []],
  ["delete", "client", []]
]

describe("the policy", () => {
  test.each(POLICY)("the permission to %s %s belongs to %j", (action, resource, roles) => {
    expect(rolesAllowed(action, resource)).toEqual(roles)
    for (const role of ["admin", "viewer"] as const) {
      expect(principal(role).can(action, resource)).toBe(roles.includes(role))
    }
  })
})
