import { expect, test } from "bun:test"
import { onFreshDatabase } from "./support.ts"

test("users are created, listed, disabled, enabled and deleted, and get links, from the command line", async () => {
  const footfall = await onFreshDatabase()
  const created = await footfall(
    ["users", "create", "--email", "Ada@example.com", "--name", "Ada Lovelace", "--admin"],
    { PUBLIC_URL: "https://stats.example.com" }
  )
  expect([created.code, created.err]).toEqual([0, ""])
  expect(created.out).toMatch(
    /^Created Ada Lovelace \(ada@example\.com\) with the id 1\. To set a password, they open:\n\nhttps:\/\/stats\.example\.com\/invitation\?token=[\w-]{43}\n/
  )
  expect(await footfall(["users", "create", "--email", "ada@EXAMPLE.com", "--name", "X"])).toMatchObject({
    code: 1,
    err: 'A user with the email "ada@example.com" already exists; it may be disabled.\n'
  })
  const invalid = await footfall(["users", "create", "--email", "ada", "--name", " "])
  expect([invalid.code, invalid.err]).toEqual([
    1,
    "The email must be an address such as `ada@example.com`. The name must not be blank.\n"
  ])
  const bob = await footfall([
    "users",
    "create",
    "--email",
    "bob@example.com",
    "--name",
    "Bob",
    "--json",
    "--group",
    "administrators"
  ])
  expect(await footfall(["users", "create", "--email", "eve@example.com", "--name", "Eve", "--group", "3"])).toEqual({
    code: 2,
    out: "",
    err: 'There is no group "3"; there are Administrators (2), All users (1).\n'
  })
  expect(JSON.parse(bob.out)).toMatchObject({ user: { id: 3, is_superuser: true }, link: { kind: "invitation" } })
  expect((await footfall(["users", "list"])).out).toMatch(
    /^ID +NAME +EMAIL +STATE +ADMIN +LAST SIGN-IN\n1 +Ada Lovelace +ada@example\.com +invited +yes +never\n3 +Bob +/
  )
  expect((await footfall(["users", "disable", "3"])).out).toBe("Disabled Bob. Their sessions end within 5 seconds.\n")
  expect((await footfall(["users", "reset-link", "3"])).err).toBe("The user is disabled; enable them first.\n")
  expect((await footfall(["users", "enable", "3"])).out).toBe("Enabled Bob.\n")
  const link = JSON.parse((await footfall(["users", "reset-link", "3", "--json"])).out)
  expect(link.url).toMatch(/^http:\/\/localhost:3000\/invitation\?token=/)
  expect(await footfall(["users", "delete", "3"])).toMatchObject({
    code: 2,
    err: "This deletes Bob (bob@example.com) for good; `users disable` can be undone. Add --yes to do it.\n"
  })
  expect((await footfall(["users", "delete", "3", "--yes"])).out).toStartWith("Deleted the user with the id 3. ")
  expect((await footfall(["users", "list"])).out).not.toContain("Bob")
  // The only administrator, who has no password yet.
  expect(await footfall(["users", "delete", "1", "--yes"])).toEqual({
    code: 1,
    out: "",
    err: "This is the only administrator. Add another user to the group Administrators first, or run `bun run footfall users create --admin`.\n"
  })
  expect((await footfall(["users", "disable", "99"])).err).toBe("There is no user with the id 99.\n")
  expect((await footfall(["users", "disable", "0"])).code).toBe(2)
  // Larger than any id.
  for (const args of [
    ["users", "disable", "2147483648"],
    ["users", "enable", "2147483648"],
    ["users", "delete", "2147483648", "--yes"],
    ["users", "reset-link", "2147483648"],
    ["groups", "add", "1", "2147483648"],
    ["groups", "remove", "1", "2147483648"]
  ]) {
    expect([args, await footfall(args)]).toEqual([
      args,
      { code: 1, out: "", err: "There is no user with the id 2147483648.\n" }
    ])
  }
  expect((await footfall(["users", "disable", "9999999999"])).err).toBe("There is no user with the id 9999999999.\n")
}, 180_000)

test("users are also named by their email, in any case", async () => {
  const footfall = await onFreshDatabase()
  for (const name of ["ada", "bob"]) {
    await footfall(["users", "create", "--email", `${name}@example.com`, "--name", name, "--admin"])
  }
  expect((await footfall(["users", "reset-link", "bob@example.com"])).out).toContain("/invitation?token=")
  expect((await footfall(["users", "disable", "Bob@Example.com"])).out).toStartWith("Disabled bob.")
  expect((await footfall(["users", "enable", "bob@example.com"])).out).toBe("Enabled bob.\n")
  expect((await footfall(["users", "delete", "bob@example.com", "--yes"])).out).toMatch(
    /^Deleted the user with the id \d\./
  )
  expect(await footfall(["users", "reset-link", "bob@example.com"])).toMatchObject({
    code: 2,
    err: 'There is no user with the email "bob@example.com".\n'
  })
  expect(await footfall(["users", "reset-link", "bob"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("the id of a user, such as 7, or their email")
  })
}, 180_000)

test("where passwords are turned off, users are created without a link, which would not work", async () => {
  const footfall = await onFreshDatabase()
  const environment = {
    ENABLE_PASSWORD_LOGIN: "off",
    OIDC_ISSUER: "https://accounts.example.com",
    OIDC_CLIENT_ID: "footfall",
    OIDC_NAME: "Acme"
  }
  expect(
    await footfall(["users", "create", "--email", "ada@example.com", "--name", "Ada", "--admin"], environment)
  ).toMatchObject({ code: 0, out: "Created Ada (ada@example.com) with the id 1. They sign in with Acme.\n" })
  expect(await footfall(["users", "reset-link", "1"], environment)).toMatchObject({
    code: 1,
    err: "Users sign in with single sign-on only, so a link to set a password would not work. Turn ENABLE_PASSWORD_LOGIN on first.\n"
  })
  expect((await footfall(["users", "reset-link", "1"])).code).toBe(0)
}, 180_000)

test("a password is read from standard input, and a weak one refused", async () => {
  const footfall = await onFreshDatabase()
  const create = (email: string, password: string) =>
    footfall(["users", "create", "--email", email, "--name", "Ada", "--password-stdin"], {}, password)
  expect(await create("ada@example.com", "correct horse battery\n")).toMatchObject({
    code: 0,
    out: "Created Ada (ada@example.com) with the id 1.\n"
  })
  const weak = await create("eve@example.com", "password123\n")
  expect([weak.code, weak.err]).toEqual([1, "This password is one of the first that attackers try. Choose another.\n"])
  expect((await create("eve@example.com", "")).code).toBe(2)
}, 180_000)
