import { expect, test } from "bun:test"
import { Result } from "effect"
import fc from "fast-check"
import { AddressTable } from "../../src/lib/AddressTable.ts"
import { parseAddressRanges } from "../../src/lib/ipAddress.ts"
import published from "../../src/pipeline/vendors/addressRanges.json" with { type: "json" }
import { VENDOR_ADDRESSES } from "../../src/pipeline/vendors/ProxyVendor.ts"

test("a table of addresses finds exactly the addresses in its CIDRs", () => {
  const cidrs = ["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", "203.0.113.7/32", "2001:db8::/32", "0.0.0.0/8"]
  const table = new AddressTable(cidrs.map((cidr) => [cidr, "here"]))
  const matches = Result.getOrThrow(parseAddressRanges(cidrs, { names: false }))
  const near = fc.constantFrom("9.255.255.255", "10.0.0.0", "11.255.255.255", "12.0.0.0", "203.0.113.6", "203.0.113.7")
  fc.assert(
    fc.property(fc.oneof(near, fc.ipV4(), fc.ipV6(), fc.constantFrom("2001:db8::1", "unknown", "")), (ip) => {
      expect(table.find(ip) === "here").toBe(matches(ip))
    })
  )
})

test("a table of addresses refuses ranges of different values that overlap, and what is not a CIDR", () => {
  expect(() => new AddressTable([["10.0.0.0/8", "a"] as const, ["10.1.0.0/16", "b"] as const])).toThrow("overlap")
  expect(() => new AddressTable([["example.com/8", "a"]])).toThrow("not a CIDR")
})

test.each([
  ["173.245.48.1", "Cloudflare"],
  ["104.27.255.255", "Cloudflare"],
  // Cloudflare's 104.28.0.0/14 is where visitors of its VPN come from, not its proxies.
  ["104.28.0.1", undefined],
  ["2606:4700::1", "Cloudflare"],
  ["13.35.1.1", "CloudFront"],
  ["146.75.127.255", "Fastly"],
  // Fastly's other half serves a VPN for visitors.
  ["146.75.128.1", undefined],
  ["35.191.0.1", "Google Cloud"],
  ["81.2.69.142", undefined]
])("the address %s belongs to the vendor %p", (ip, vendor) => {
  expect(VENDOR_ADDRESSES.find(ip)?.name).toBe(vendor as string)
})

test("the vendors' ranges are dated, name their source and are all public", () => {
  expect(published.compiled).toMatch(/^\d{4}-\d\d-\d\d$/)
  for (const { cidrs, publishedAt } of Object.values(published.ranges)) {
    expect(publishedAt).toStartWith("https://")
    expect(cidrs.length).toBeGreaterThan(1)
  }
})
