import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { CollectionLevel } from "../../../domain/people.ts"
import { idOf } from "../../shared/json/fields.ts"
import {
  GroupCreateJson,
  GroupJson,
  GroupUpdateJson,
  GroupWithMembersJson,
  MemberJson
} from "../../shared/json/group.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { intParam, MAX_INT } from "../numbers.ts"
import { CHANGE_PROBLEMS } from "../peopleProblem.ts"
import { BadRequest, NotFound, ServiceUnavailable } from "../problems.ts"

const byGroup = { params: { id: intParam("The group's id", 3) } }

const EXAMPLE_GROUPS = { "1": { "1": "none" }, "2": { "1": "write" }, "3": { "1": "read" } } as const

const GraphJson = Schema.Struct({
  revision: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: MAX_INT })).annotate({
    description: "Grows with each change",
    examples: [4]
  }),
  groups: Schema.Record(Schema.String, Schema.Record(Schema.String, CollectionLevel)).annotate({
    description: "By the group's id, then by the collection's: 1 is Product Analytics",
    examples: [EXAMPLE_GROUPS]
  })
}).annotate({ identifier: "PermissionGraph", description: "What each group may do in each collection." })

const DatabaseGraphJson = Schema.Struct({
  revision: Schema.Int.annotate({ examples: [4] }),
  groups: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Unknown)).annotate({
    description: "Empty for each group",
    examples: [{ "1": {}, "2": {} }]
  })
}).annotate({
  identifier: "DatabasePermissionGraph",
  description: "The permissions of databases, of which Product Analytics has none of its own."
})

const MembershipJson = Schema.Struct({
  group_id: idOf("group").annotate({ examples: [3] }),
  user_id: idOf("user").annotate({ examples: [7] })
}).annotate({ identifier: "Membership" })

export class PermissionsApi extends HttpApiGroup.make("permissions")
  .add(
    HttpApiEndpoint.get("groups", "/api/permissions/group", {
      success: Schema.Array(GroupJson).annotate({ description: "Administrators, All users, then the others by name." }),
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "groups"))
      .annotateMerge(endpointDocs("List groups")),
    HttpApiEndpoint.post("createGroup", "/api/permissions/group", {
      payload: GroupCreateJson,
      success: GroupJson,
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("create", "groups"))
      .annotateMerge(
        endpointDocs("Create a group", "It may do nothing until `PUT /api/collection/graph` lets it read or write.")
      ),
    HttpApiEndpoint.get("group", "/api/permissions/group/:id", {
      ...byGroup,
      success: GroupWithMembersJson,
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "groups"))
      .annotateMerge(endpointDocs("Get a group and its members")),
    HttpApiEndpoint.put("updateGroup", "/api/permissions/group/:id", {
      ...byGroup,
      payload: GroupUpdateJson,
      success: GroupJson,
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("update", "groups"))
      .annotateMerge(
        endpointDocs(
          "Rename a group or limit its sites",
          "A user sees the sites of all their groups that may read Product Analytics. All users and Administrators keep their names."
        )
      ),
    HttpApiEndpoint.delete("deleteGroup", "/api/permissions/group/:id", {
      ...byGroup,
      success: HttpApiSchema.NoContent,
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("delete", "groups"))
      .annotateMerge(endpointDocs("Delete a group", "Its members stay; keys that are bound to it are revoked.")),
    HttpApiEndpoint.post("addMember", "/api/permissions/membership", {
      payload: MembershipJson,
      success: MemberJson.annotate({ description: "The member." }),
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("update", "groups"))
      .annotateMerge(endpointDocs("Add a user to a group", "A user who is a member already stays one.")),
    HttpApiEndpoint.delete("removeMember", "/api/permissions/membership/:id", {
      params: { id: intParam("The membership's id", 12) },
      success: HttpApiSchema.NoContent,
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("update", "groups"))
      .annotateMerge(
        endpointDocs(
          "Remove a user from a group",
          "409 for the last administrator who can sign in, and for the only one."
        )
      ),
    HttpApiEndpoint.get("graph", "/api/collection/graph", { success: GraphJson, error: ServiceUnavailable })
      .annotateMerge(requires("read", "permissions"))
      .annotateMerge(
        endpointDocs(
          "Get the permissions",
          "`read`: query and see; `write`: also save in the collection. A level also holds for the collections below that have none of their own."
        )
      ),
    HttpApiEndpoint.put("setGraph", "/api/collection/graph", {
      payload: GraphJson,
      success: GraphJson,
      error: CHANGE_PROBLEMS
    })
      .annotateMerge(requires("update", "permissions"))
      .annotateMerge(
        endpointDocs(
          "Change the permissions",
          "Levels that are left out stay as they are. `none` hides a collection below one that may be read, and the `read` or `write` of the one above makes it follow that one again. 409 unless `revision` is the latest: read the graph again, and repeat the change."
        )
      ),
    HttpApiEndpoint.get("databaseGraph", "/api/permissions/graph", {
      success: DatabaseGraphJson,
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "permissions"))
      .annotateMerge(
        endpointDocs("Get the permissions of databases", "The collection's permissions decide about the database, too.")
      ),
    HttpApiEndpoint.put("setDatabaseGraph", "/api/permissions/graph", {
      payload: Schema.Unknown.annotate({
        description: "Refused, whatever it is",
        examples: [{ revision: 4, groups: {} }]
      }),
      success: DatabaseGraphJson,
      error: BadRequest
    })
      .annotateMerge(requires("update", "permissions"))
      .annotateMerge(
        endpointDocs("Change the permissions of databases", "Always 400: use `PUT /api/collection/graph`.")
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({ title: "Groups and permissions", description: "Who may do what. Requires an administrator." })
  ) {}
