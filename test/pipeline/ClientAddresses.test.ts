import { describe, expect, test } from "bun:test"
import { Result } from "effect"
import fc from "fast-check"
import ipaddr from "ipaddr.js"
import { isLocalAddress, normalizeAddress, parseAddressRanges } from "../../src/lib/ipAddress.ts"
import { ClientAddresses, FORWARDING_HEADERS } from "../../src/pipeline/ClientAddresses.ts"
import { VENDOR_ADDRESSES } from "../../src/pipeline/vendors/ProxyVendor.ts"
import { parseProxyTrust } from "../../src/settings/proxyTrust.ts"

const addresses = (trust: string, header: string | null = null) =>
  new ClientAddresses(Result.getOrThrow(parseProxyTrust(trust)), header)

describe("the client's address", () => {
  const cases: ReadonlyArray<[string, string, string, Record<string, string>, string]> = [
    ["is the connection's without headers", "loopback", "127.0.0.1", {}, "127.0.0.1"],
    [
      "is the connection's when the peer is not trusted",
      "loopback",
      "203.0.113.5",
      { "x-forwarded-for": "1.2.3.4" },
      "203.0.113.5"
    ],
    [
      "is the connection's when no proxy is trusted",
      "none",
      "127.0.0.1",
      { "x-forwarded-for": "1.2.3.4" },
      "127.0.0.1"
    ],
    ["comes from a proxy on this machine", "loopback", "::ffff:127.0.0.1", { "x-forwarded-for": "1.2.3.4" }, "1.2.3.4"],
    [
      "is the last one that a trusted proxy did not write",
      "loopback, 10.0.0.0/8",
      "127.0.0.1",
      { "x-forwarded-for": "6.6.6.6, 1.2.3.4, 10.1.1.1" },
      "1.2.3.4"
    ],
    [
      "is the first of all when everyone is trusted",
      "all",
      "203.0.113.5",
      { "x-forwarded-for": "6.6.6.6, 1.2.3.4" },
      "6.6.6.6"
    ],
    [
      "is never one from a header that the proxy only passed on, even if its own header has no address",
      "private",
      "10.0.0.1",
      { "x-forwarded-for": "unknown", forwarded: "for=6.6.6.6", "x-client-ip": "6.6.6.6" },
      "10.0.0.1"
    ],
    ["is the last for one hop", "1", "203.0.113.5", { "x-forwarded-for": "6.6.6.6, 1.2.3.4" }, "1.2.3.4"],
    [
      "is the last but one for two hops",
      "2",
      "203.0.113.5",
      { "x-forwarded-for": "6.6.6.6, 1.2.3.4, 5.5.5.5" },
      "1.2.3.4"
    ],
    [
      "is the first when there are fewer hops than trusted",
      "5",
      "203.0.113.5",
      { "x-forwarded-for": "1.2.3.4" },
      "1.2.3.4"
    ],
    ...["forwarded", "x-client-ip", "x-cluster-client-ip", "x-forwarded"].map(
      (header): [string, string, string, Record<string, string>, string] => [
        `is not in ${header} when the proxy writes X-Forwarded-For, even for a client in our own network`,
        "private",
        "127.0.0.1",
        { "x-forwarded-for": "10.0.0.9", [header]: header === "forwarded" ? "for=1.2.3.4" : "1.2.3.4" },
        "10.0.0.9"
      ]
    ),
    [
      "is the first when all of the chain is trusted",
      "loopback,uniquelocal",
      "127.0.0.1",
      { "x-forwarded-for": "10.0.0.9, 10.0.0.1" },
      "10.0.0.9"
    ],
    [
      "takes Umami's order of headers",
      "all",
      "1.1.1.1",
      { "x-forwarded-for": "2.2.2.2", "cf-connecting-ip": "3.3.3.3" },
      "3.3.3.3"
    ],
    [
      "takes true-client-ip before all",
      "all",
      "1.1.1.1",
      { "cf-connecting-ip": "3.3.3.3", "true-client-ip": "4.4.4.4" },
      "4.4.4.4"
    ],
    [
      "reads Forwarded",
      "all",
      "1.1.1.1",
      { forwarded: 'for="[2001:DB8::17]:4711";proto=https, for=10.0.0.1' },
      "[2001:db8::17]"
    ],
    ["reads Forwarded without quotes", "all", "1.1.1.1", { forwarded: "proto=http; For=192.0.2.43" }, "192.0.2.43"],
    ["loses its port", "all", "1.1.1.1", { "x-real-ip": "192.0.2.43:1234" }, "192.0.2.43"],
    ["is compressed", "all", "1.1.1.1", { "x-real-ip": "2001:0DB8:0:0::0001" }, "2001:db8::1"],
    ["is IPv4 when mapped", "all", "1.1.1.1", { "x-real-ip": "::ffff:192.0.2.1" }, "192.0.2.1"],
    [
      "is the connection's when a header holds no address",
      "all",
      "1.1.1.1",
      { "x-real-ip": "unknown", "x-client-ip": "-" },
      "1.1.1.1"
    ],
    [
      "skips what is not an address",
      "private",
      "127.0.0.1",
      { "x-forwarded-for": "81.2.69.142, unknown" },
      "81.2.69.142"
    ],
    [
      "is behind a load balancer in front of a local proxy",
      "private",
      "127.0.0.1",
      { "x-forwarded-for": "81.2.69.142, 10.0.3.4" },
      "81.2.69.142"
    ],
    [
      "is behind an overlay network's proxy",
      "private",
      "100.101.102.103",
      { "x-forwarded-for": "81.2.69.142" },
      "81.2.69.142"
    ],
    [
      "is in the next header when all of the first is trusted",
      "private",
      "127.0.0.1",
      { "x-forwarded-for": "10.0.3.4", "x-real-ip": "81.2.69.142" },
      "81.2.69.142"
    ],
    [
      "is in X-Forwarded-For when X-Real-IP is the balancer's",
      "private",
      "127.0.0.1",
      { "x-forwarded-for": "81.2.69.142, 10.0.3.4", "x-real-ip": "10.0.3.4" },
      "81.2.69.142"
    ],
    ["is not read from a public peer", "private", "203.0.113.5", { "x-forwarded-for": "81.2.69.142" }, "203.0.113.5"],
    [
      "of a colleague in the same network is theirs",
      "private",
      "127.0.0.1",
      { "x-forwarded-for": "10.0.0.9, 10.0.0.1" },
      "10.0.0.9"
    ],
    [
      "is not in a vendor's header that passed a plain proxy",
      "private",
      "127.0.0.1",
      { "x-forwarded-for": "81.2.69.142", "cf-connecting-ip": "9.9.9.9", "true-client-ip": "9.9.9.9" },
      "81.2.69.142"
    ],
    [
      "is not in a vendor's header without a chain either",
      "private",
      "127.0.0.1",
      { "cf-connecting-ip": "9.9.9.9" },
      "127.0.0.1"
    ],
    [
      "comes from Cloudflare's header when Cloudflare connects",
      "private",
      "172.70.1.2",
      { "x-forwarded-for": "6.6.6.6, 81.2.69.142", "cf-connecting-ip": "81.2.69.142" },
      "81.2.69.142"
    ],
    [
      "comes from Cloudflare's header over IPv6",
      "loopback",
      "2606:4700:10::6816:1",
      { "cf-connecting-ip": "2001:db8::7" },
      "2001:db8::7"
    ],
    [
      "comes from Cloudflare's header when it is in front of another proxy",
      "private",
      "127.0.0.1",
      { "x-forwarded-for": "6.6.6.6, 172.70.1.2, 10.0.0.2", "cf-connecting-ip": "81.2.69.142" },
      "81.2.69.142"
    ],
    [
      "comes from Cloudflare's header when X-Real-IP is Cloudflare's address",
      "private",
      "127.0.0.1",
      { "x-real-ip": "172.70.1.2", "cf-connecting-ip": "81.2.69.142" },
      "81.2.69.142"
    ],
    [
      "comes from Cloudflare's header for one hop",
      "1",
      "127.0.0.1",
      { "x-forwarded-for": "6.6.6.6, 172.70.1.2", "cf-connecting-ip": "81.2.69.142" },
      "81.2.69.142"
    ],
    [
      "is before a CDN that only appends",
      "private",
      "127.0.0.1",
      { "x-forwarded-for": "6.6.6.6, 81.2.69.142, 13.32.1.1", "cloudfront-viewer-address": "9.9.9.9:1234" },
      "81.2.69.142"
    ],
    [
      "is before a CDN that connects and only appends",
      "private",
      "151.101.1.1",
      { "x-forwarded-for": "6.6.6.6, 81.2.69.142", "fastly-client-ip": "9.9.9.9" },
      "81.2.69.142"
    ],
    [
      "is the connection's when no proxy is trusted, CDNs included",
      "none",
      "172.70.1.2",
      { "cf-connecting-ip": "81.2.69.142" },
      "172.70.1.2"
    ]
  ]
  test.each(cases)("the client's address %s (TRUST_PROXY=%s)", (_, trusted, peer, headers, expected) => {
    const { ip } = addresses(trusted).resolve(peer, new Headers(headers))
    expect(ip === "[2001:DB8::17]" ? "[2001:db8::17]" : ip).toBe(expected)
  })

  test("the client's address comes first from CLIENT_IP_HEADER, if the header is present", () => {
    const headers = new Headers({ "x-mine": "5.5.5.5", "true-client-ip": "4.4.4.4" })
    expect(addresses("all", "X-Mine").resolve("1.1.1.1", headers)).toMatchObject({
      ip: "5.5.5.5",
      from: "X-Mine"
    })
    expect(addresses("all", "x-other").resolve("1.1.1.1", headers).ip).toBe("4.4.4.4")
  })

  test("the address of an untrusted peer is the connection's, whatever headers it sends", () => {
    const address = fc.ipV4()
    fc.assert(
      fc.property(fc.constantFrom(...FORWARDING_HEADERS), address, (header, value) => {
        const found = addresses("loopback", header).resolve("203.0.113.5", new Headers({ [header]: value }))
        return found.ip === "203.0.113.5" && !found.trusted
      })
    )
  })

  test("the client's address is never one that the client put before the trusted proxy's entry", () => {
    fc.assert(
      fc.property(
        fc.array(fc.ipV4(), { maxLength: 5 }),
        fc.ipV4().filter((ip) => !isLocalAddress(ip) && VENDOR_ADDRESSES.find(ip) === null),
        (forged, real) => {
          const chain = [...forged, real].join(", ")
          return addresses("loopback").resolve("127.0.0.1", new Headers({ "x-forwarded-for": chain })).ip === real
        }
      )
    )
  })
})

describe("a sign of a wrong TRUST_PROXY", () => {
  const cases: ReadonlyArray<[string, string, string, Record<string, string>, ReadonlyArray<string>]> = [
    [
      "is a header from an untrusted peer",
      "private",
      "203.0.113.5",
      { "x-forwarded-for": "81.2.69.142" },
      ["untrusted_peer"]
    ],
    [
      "is a private client with a public address to its left",
      "loopback",
      "127.0.0.1",
      { "x-forwarded-for": "81.2.69.142, 10.0.3.4" },
      ["private_client"]
    ],
    ["is not an untrusted peer without headers", "private", "203.0.113.5", {}, []],
    ["is not what TRUST_PROXY=none asks for", "none", "203.0.113.5", { "x-forwarded-for": "81.2.69.142" }, []],
    ["is not a private client on its own", "loopback", "127.0.0.1", { "x-forwarded-for": "10.0.3.4" }, []],
    ["is not a public client", "private", "127.0.0.1", { "x-forwarded-for": "81.2.69.142, 10.0.3.4" }, []]
  ]
  test.each(cases)("a sign of a wrong TRUST_PROXY %s", (_, trusted, peer, headers, expected) => {
    const found: Array<string> = []
    const trust = Result.getOrThrow(parseProxyTrust(trusted))
    new ClientAddresses(trust, null, (problem) => found.push(problem)).resolve(peer, new Headers(headers))
    expect(found).toEqual([...expected])
  })
})

describe("TRUST_PROXY", () => {
  test.each(["", "everyone", "10.0.0.0/33", "10.0.0.1/", "fe80::/129", "loopback,unknown", "-1"])(
    "TRUST_PROXY rejects %p",
    (text) => {
      expect(Result.isFailure(parseProxyTrust(text))).toBe(true)
    }
  )
  test.each([
    "none",
    "all",
    "0",
    "3",
    "loopback",
    "LOOPBACK, 10.0.0.0/8",
    "::1",
    "uniquelocal,linklocal",
    "private",
    "private,203.0.113.7"
  ])("TRUST_PROXY accepts %p", (text) => {
    expect(Result.isSuccess(parseProxyTrust(text))).toBe(true)
  })
})

describe("an address", () => {
  test("normalizing an address twice changes nothing, and no string makes it throw", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.ipV4(),
          fc.ipV6(),
          fc.string(),
          fc.ipV4().map((ip) => `${ip}:80`),
          fc.ipV6().map((ip) => `[${ip}]:80`)
        ),
        (text) => {
          const once = normalizeAddress(text)
          expect(normalizeAddress(once)).toBe(once)
        }
      )
    )
  })

  test("an IPv6 address has the same normal form however it is written", () => {
    fc.assert(
      fc.property(
        fc.ipV6().filter((ip) => ipaddr.IPv6.isValid(ip) && !ipaddr.IPv6.parse(ip).isIPv4MappedAddress()),
        (ip) => {
          const long = ipaddr.IPv6.parse(ip)
            .parts.map((part) => part.toString(16).padStart(4, "0"))
            .join(":")
            .toUpperCase()
          expect(normalizeAddress(long)).toBe(ipaddr.IPv6.parse(ip).toString())
        }
      )
    )
  })

  /** Strings that are almost IPv6 addresses, and some that are. */
  const nearlyIpV6 = fc.oneof(
    fc.string({ unit: fc.constantFrom("0", "1", "a", "F", ":", "::", ".", "%", " ", "g"), maxLength: 30 }),
    fc
      .array(fc.constantFrom("0", "00", "0db8", "1", "fe80", "fc00", "ffff", "ABCD", ""), { maxLength: 9 })
      .map((p) => p.join(":")),
    fc.ipV6()
  )

  test("an IPv6 address is parsed exactly as ipaddr.js parses it", () => {
    fc.assert(
      fc.property(nearlyIpV6, (text) => {
        fc.pre(text.includes(":") && !/[[\]]/.test(text) && !/^[^:]*:\d+$/.test(text))
        const valid = /^[0-9a-f:.]+(?:%[\w.-]+)?$/i.test(text) && ipaddr.isValid(text)
        expect(normalizeAddress(text)).toBe(valid ? ipaddr.process(text).toString() : text)
      }),
      { numRuns: 3_000 }
    )
  })

  test("an IPv6 address is in a CIDR exactly when ipaddr.js says so", () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.boolean(), (any, network, bits, near) => {
        fc.pre(!ipaddr.process(network).toString().includes(".") || bits === 128)
        const ip = near ? network : any
        const parsed = parseAddressRanges([`${network}/${bits}`], { names: false })
        if (Result.isFailure(parsed)) return
        const matcher = parsed.success
        const [address, net] = [ipaddr.process(ip), ipaddr.process(network)]
        const expected = address instanceof ipaddr.IPv6 && net instanceof ipaddr.IPv6 && address.match(net, bits)
        if (net instanceof ipaddr.IPv6) expect(matcher(ip)).toBe(expected)
      }),
      { numRuns: 1_000 }
    )
  })

  test.each([
    ["127.0.0.1", true],
    ["10.4.5.6", true],
    ["172.31.255.255", true],
    ["172.32.0.1", false],
    ["192.168.1.1", true],
    ["169.254.10.1", true],
    ["::1", true],
    ["fe80::1", true],
    ["fd00::1", true],
    ["[fd00::1]", true],
    ["fe7f::1", false],
    ["febf:ffff::1", true],
    ["fec0::1", false],
    ["fbff::1", false],
    ["fdff::", true],
    ["::ffff:10.0.0.1", true],
    ["::", true],
    ["2001:4860:4860::8888", false],
    ["8.8.8.8", false],
    ["nonsense", false]
  ])("the address %s is local: %p", (ip, local) => {
    expect(isLocalAddress(ip)).toBe(local)
  })

  test("what an address is does not depend on the addresses that were asked about before", () => {
    const local = ["10.0.0.1", "fd00::1", "127.0.0.1", "::1"]
    const other = ["203.0.113.5", "2001:db8::1", "11.0.0.1", "", "nonsense", "10.0.0.256", "fd00:::1"]
    const asked = fc.sample(fc.constantFrom(...local, ...other), { numRuns: 2_000, seed: 7 })
    expect(asked.filter((ip) => isLocalAddress(ip) !== local.includes(ip))).toEqual([])
  })

  test("an IPv4 address is in a CIDR exactly when its first bits are the network's", () => {
    const number = (ip: string) => ip.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (ip, network, bits) => {
        const matcher = Result.getOrThrow(parseAddressRanges([`${network}/${bits}`], { names: false }))
        const size = 2 ** (32 - bits)
        expect(matcher(ip)).toBe(Math.floor(number(ip) / size) === Math.floor(number(network) / size))
      })
    )
  })
})
