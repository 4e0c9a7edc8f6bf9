import { describe, expect, test } from "bun:test"
import { Result } from "effect"
import { parseAddressRanges } from "../../src/lib/ipAddress.ts"
import { parseProxyTrust } from "../../src/settings/proxyTrust.ts"

describe("address ranges", () => {
  test.each([
    ["10.1.2.3", true],
    ["10.0.0.0/8", true],
    ["0.0.0.0/0", true],
    ["::1", true],
    ["2001:db8::/32", true],
    ["10.0.0.0/33", false],
    ["2001:db8::/129", false],
    ["10.0.0.0/", false],
    ["10.0.0.0/8/8", false],
    ["10.1", false],
    ["loopback", false],
    ["", false]
  ])("%p is an address range: %p", (text, is) => {
    expect(Result.isSuccess(parseAddressRanges([text], { names: false }))).toBe(is)
  })
})

describe("TRUST_PROXY", () => {
  test.each([
    ["none", true],
    ["ALL", true],
    ["2", true],
    ["loopback", true],
    [" Loopback, 10.0.0.0/8 ", true],
    ["uniquelocal,linklocal", true],
    ["100", false],
    ["proxies", false],
    ["loopback,,", true],
    [",", false],
    ["", false]
  ])("TRUST_PROXY accepts %p: %p", (text, is) => {
    expect(Result.isSuccess(parseProxyTrust(text))).toBe(is)
  })
})
