import { Context, Effect, Layer, Metric } from "effect"
import { FeatureGate } from "../ports/FeatureGate.ts"
import { Geo } from "../ports/Geo.ts"
import { RateLimiter } from "../ports/RateLimiter.ts"
import { Sites } from "../ports/Sites.ts"
import { Storage } from "../ports/Storage.ts"
import { ADDRESS_PROBLEMS, type AddressProblem, explainAddressProblem } from "./addressProblem.ts"
import { ClientAddresses } from "./ClientAddresses.ts"
import { Identity } from "./Identity.ts"
import { Policy } from "./Policy.ts"
import { AgentParser } from "./resolveDevice.ts"
import { PageResolver } from "./resolvePage.ts"
import { Tokens } from "./Tokens.ts"

/** What the pipeline's steps share: the ports, looked up once, and every cache of the path. */
export class PipelineEnv extends Context.Service<
  PipelineEnv,
  {
    readonly gate: FeatureGate["Service"]
    readonly sites: Sites["Service"]
    readonly geo: Geo["Service"]
    readonly limiter: RateLimiter["Service"]
    readonly storage: Storage["Service"]
    readonly policy: Policy["Service"]
    readonly addresses: ClientAddresses
    readonly agents: AgentParser
    readonly identity: Identity
    readonly pages: PageResolver
    readonly tokens: Tokens
  }
>()("footfall/pipeline/PipelineEnv") {
  static readonly layer = Layer.effect(
    PipelineEnv,
    Effect.gen(function* () {
      const policy = yield* Policy
      return PipelineEnv.of({
        gate: yield* FeatureGate,
        sites: yield* Sites,
        geo: yield* Geo,
        limiter: yield* RateLimiter,
        storage: yield* Storage,
        policy,
        addresses: new ClientAddresses(policy.trust, policy.clientIpHeader, yield* makeAddressReport),
        agents: new AgentParser(),
        identity: new Identity(policy.secret, policy.saltRotation),
        pages: new PageResolver(policy.removeTrailingSlash),
        tokens: new Tokens(policy.secret)
      })
    })
  )
}

const addressProblems = Metric.counter("footfall_client_address_problems_total", {
  description: "Requests whose client address suggests that TRUST_PROXY is wrong, by problem.",
  incremental: true
})

/** Counts requests with a problem, and logs the first of each kind. */
const makeAddressReport = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const fork = Effect.runForkWith(context)
  const counters = Object.fromEntries(
    ADDRESS_PROBLEMS.map((problem) => [problem, Metric.withAttributes(addressProblems, { problem })])
  ) as Record<AddressProblem, typeof addressProblems>
  const logged = new Set<AddressProblem>()
  return (problem: AddressProblem): void => {
    counters[problem].updateUnsafe(1, context)
    if (logged.has(problem)) return
    logged.add(problem)
    const { found, remedy } = explainAddressProblem(problem)
    fork(Effect.logWarning(`TRUST_PROXY may be wrong: ${found}. ${remedy}`))
  }
})
