import { browserName, detectOS } from "detect-browser"
import UAParser from "ua-parser-js"
import { SIZE } from "../domain/columnSizes.ts"
import { LruCache } from "../lib/LruCache.ts"
import { cutOrNull } from "../lib/strings.ts"
import { ruledDeviceType } from "./deviceRules.ts"
import { isBot } from "./isBot.ts"
import { AGENT_CACHE_ENTRIES, AGENT_PARSED_LENGTH } from "./limits.ts"
import type { Payload } from "./payload.ts"

/** What a user agent string says, with Umami's labels. `deviceType` is `desktop` if it names none. */
export interface Agent {
  readonly bot: boolean
  readonly browser: string | null
  readonly os: string | null
  readonly deviceType: string
}

/** Parses user agent strings; the same ones arrive again and again, so each is parsed once. */
export class AgentParser {
  readonly #parsed = new LruCache<Agent>(AGENT_CACHE_ENTRIES)

  parse(userAgent: string): Agent {
    const head = userAgent.length > AGENT_PARSED_LENGTH ? userAgent.substring(0, AGENT_PARSED_LENGTH) : userAgent
    const known = this.#parsed.get(head)
    if (known !== undefined) return known
    const agent: Agent = {
      bot: isBot(head),
      browser: cutOrNull(browserName(head), SIZE.agentPart),
      os: cutOrNull(detectOS(head), SIZE.agentPart),
      deviceType: ruledDeviceType(head) ?? new UAParser(head).getDevice().type ?? "desktop"
    }
    this.#parsed.set(head, agent)
    return agent
  }
}

/** Browser, operating system and device as stored. */
export interface Device {
  readonly browser: string | null
  readonly os: string | null
  readonly device: string
}

/** A desktop system with a screen up to this many pixels wide is a laptop (Umami 3). */
const LAPTOP_SCREEN_WIDTH = 1920

/** The user agent's labels, with the payload's overrides and Umami's laptop rule. */
export const resolveDevice = (agent: Agent, payload: Payload): Device => ({
  browser: cutOrNull(payload.browser, SIZE.agentPart) ?? agent.browser,
  os: cutOrNull(payload.os, SIZE.agentPart) ?? agent.os,
  device: cutOrNull(payload.device, SIZE.agentPart) ?? laptopOr(agent.deviceType, payload.screen)
})

const laptopOr = (deviceType: string, screen: string | undefined): string =>
  deviceType === "desktop" &&
  screen !== undefined &&
  screen !== "" &&
  Number.parseInt(screen, 10) <= LAPTOP_SCREEN_WIDTH
    ? "laptop"
    : deviceType
