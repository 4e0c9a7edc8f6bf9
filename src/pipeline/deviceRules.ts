/**
 * Devices that the user agent parser does not recognize, or takes for phones, with Umami's labels. Checked before the parser, in this order.
 */
const RULES: ReadonlyArray<readonly [pattern: RegExp, deviceType: string]> = [
  // Headsets name themselves next to the words of a phone or a desktop.
  [/\b(?:OculusBrowser|Quest(?: \d| Pro)?\b|PicoBrowser|Pico Neo|VR Safari|VisionOS)/i, "xr"],
  // HbbTV is the European TV standard; Web0S is LG's, Tizen on a "TV" is Samsung's, AFT is Amazon's Fire TV, CrKey is Chromecast.
  [
    /\b(?:HbbTV|Smart-?TV|Web0S|webOS\.TV|NetCast|AppleTV|GoogleTV|Android TV|BRAVIA|CrKey|AFT[A-Z0-9]{1,6}\b|Roku)|Tizen [\d.]+\).* TV Safari/i,
    "smarttv"
  ],
  // An unfolded foldable leaves out "Mobile", as a tablet does; folded, it is a phone. The parser knows these models as phones.
  [
    /\b(?:SM-F9\d\d|Pixel (?:\d+ Pro )?Fold|CPH2499|CPH2551|PEUM00|2308CPXD0C|VER-N49|ALT-(?:AL|L)\d\d)(?!.*\bMobile\b)/i,
    "tablet"
  ],
  [/\b(?:PlayStation|Xbox|Nintendo|Steam ?Deck|Valve Steam GameOverlay)/i, "console"]
]

/** The device type of a user agent that a rule matches, otherwise null. */
export const ruledDeviceType = (userAgent: string): string | null =>
  RULES.find(([pattern]) => pattern.test(userAgent))?.[1] ?? null
