import { expect, test } from "bun:test"
import { onFreshDatabase } from "./support.ts"

const SITE = "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"

test("groups are created with a level and sites, listed and deleted from the command line", async () => {
  const footfall = await onFreshDatabase()
  await footfall(["sites", "create", "--id", SITE, "--name", "Shop"])
  expect(await footfall(["groups", "create", "--name", "Analysts", "--level", "read", "--site", SITE])).toEqual({
    code: 0,
    out: "Created the group Analysts with the id 3.\n",
    err: ""
  })
  const bare = await footfall(["groups", "create", "--name", "Guests", "--json"])
  expect(JSON.parse(bare.out)).toEqual({ id: 4, name: "Guests", member_count: 0, site_limit: null, level: "none" })
  expect((await footfall(["groups", "list"])).out).toBe(
    [
      "ID  NAME            MEMBERS  LEVEL  SITES",
      "2   Administrators  0        write  all",
      "1   All users       0        none   all",
      `3   Analysts        0        read   ${SITE}`,
      "4   Guests          0        none   all",
      ""
    ].join("\n")
  )
  expect(JSON.parse((await footfall(["groups", "list", "--json"])).out)[2]).toMatchObject({ site_limit: [SITE] })
  for (const [args, code, message] of [
    [["create", "--name", "ANALYSTS"], 1, 'There is a group "ANALYSTS" already.\n'],
    [["create", "--name", "x", "--site", "shop"], 1, 'There is no site with the id "shop"'],
    [["create", "--name", "x", "--site", SITE.replace("3", "4")], 1, "There is no site with the id"],
    [
      ["delete", "Missing"],
      2,
      'There is no group "Missing"; there are Administrators (2), All users (1), Analysts (3), '
    ],
    [["delete", "All users", "--yes"], 1, "All users and Administrators cannot be deleted.\n"],
    [["delete", "administrators"], 1, "All users and Administrators cannot be deleted.\n"],
    [
      ["delete", "guests"],
      2,
      "This deletes the group Guests, takes its permissions from 0 active users, and revokes its keys. Add --yes to do it.\n"
    ]
  ] as const) {
    const { err, ...finished } = await footfall(["groups", ...args])
    expect([args, finished.code, err]).toEqual([args, code, expect.stringContaining(message)])
  }
  expect((await footfall(["groups", "delete", "4", "--yes"])).out).toBe("Deleted the group Guests. Its members stay.\n")
  expect((await footfall(["groups", "list"])).out).not.toContain("Guests")
}, 180_000)

test("a group is found by its name also if that is a number, unless another group has this id", async () => {
  const footfall = await onFreshDatabase()
  await footfall(["users", "create", "--email", "ada@example.com", "--name", "Ada", "--admin"])
  await footfall(["groups", "create", "--name", "2"])
  await footfall(["groups", "create", "--name", "2026"])
  expect((await footfall(["groups", "add", "2026", "1"])).out).toBe("Added Ada to 2026.\n")
  expect(await footfall(["groups", "add", "2", "1"])).toEqual({
    code: 2,
    out: "",
    err: expect.stringContaining(
      '"2" is the id of Administrators and the name of the group 3. Give the name of the first, or the id of the second.'
    )
  })
  expect((await footfall(["groups", "add", "3", "1"])).out).toBe("Added Ada to 2.\n")
}, 180_000)

test("users join and leave groups by their email or id", async () => {
  const footfall = await onFreshDatabase()
  await footfall(["users", "create", "--email", "ada@example.com", "--name", "Ada", "--admin"])
  await footfall(["groups", "create", "--name", "Analysts"])
  expect((await footfall(["groups", "add", "analysts", "Ada@Example.com"])).out).toBe("Added Ada to Analysts.\n")
  expect(JSON.parse((await footfall(["groups", "add", "3", "1", "--json"])).out)).toMatchObject({
    user_id: 1,
    email: "ada@example.com"
  })
  expect(JSON.parse((await footfall(["groups", "list", "--json"])).out)[2]).toMatchObject({ member_count: 1 })
  expect((await footfall(["groups", "remove", "Analysts", "ada@example.com"])).out).toBe("Removed Ada from Analysts.\n")
  for (const [args, code, message] of [
    [["remove", "Analysts", "ada@example.com"], 1, "The user is not a member of Analysts.\n"],
    [["remove", "Administrators", "ada@example.com"], 1, "This is the only administrator."],
    [["remove", "All users", "1"], 1, "Everyone belongs to All users.\n"],
    [["add", "All users", "1"], 1, "Everyone belongs to All users already.\n"],
    [["add", "Analysts", "eve@example.com"], 2, 'There is no user with the email "eve@example.com".\n'],
    [["add", "Analysts", "99"], 1, "There is no user with the id 99.\n"],
    [["add", "Analysts", "ada"], 2, "the id of a user, such as 7, or their email"]
  ] as const) {
    const { err, ...finished } = await footfall(["groups", ...args])
    expect([args, finished.code, err]).toEqual([args, code, expect.stringContaining(message)])
  }
}, 180_000)
