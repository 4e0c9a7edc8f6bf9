import { Schema } from "effect"

/** What a caller may do, as a whole. */
export const Role = Schema.Literals(["admin", "viewer"])
export type Role = typeof Role.Type

export type Action = "read" | "create" | "update" | "delete"

export type Resource = "sites" | "stats" | "rejections" | "settings" | "keys" | "status" | "client"

/** The actions that each role may take on each resource. Everything not listed is denied. */
const POLICY: Readonly<Record<Role, Readonly<Partial<Record<Resource, ReadonlyArray<Action>>>>>> = {
  admin: {
    sites: ["read", "create", "update", "delete"],
    stats: ["read"],
    rejections: ["read"],
    settings: ["read", "update", "delete"],
    keys: ["read", "create", "delete"],
    status: ["read"],
    client: ["read"]
  },
  viewer: {
    stats: ["read"],
    rejections: ["read"],
    status: ["read"],
    client: ["read"]
  }
}

const isAllowed = (role: Role, action: Action, resource: Resource): boolean =>
  POLICY[role][resource]?.includes(action) ?? false

/** The roles that may take an action on a resource, the most powerful first. */
export const rolesAllowed = (action: Action, resource: Resource): ReadonlyArray<Role> =>
  Role.literals.filter((role) => isAllowed(role, action, resource))

/** Who makes a request: today the holder of an API key. */
export class Principal extends Schema.Class<Principal>("Principal")({
  /** The key's id. */
  id: Schema.String,
  name: Schema.String,
  role: Role
}) {
  can(action: Action, resource: Resource): boolean {
    return isAllowed(this.role, action, resource)
  }
}
