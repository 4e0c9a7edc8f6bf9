/** Sizes of string columns in UTF-16 units: those of Umami's tables. */
export const SIZE = {
  hostname: 100,
  language: 35,
  screen: 11,
  eventName: 50,
  tag: 50,
  distinctId: 50,
  agentPart: 20,
  region: 20,
  city: 50,
  url: 500,
  pageTitle: 500,
  campaign: 255,
  dataKey: 500,
  stringValue: 500,
  currency: 10
} as const
