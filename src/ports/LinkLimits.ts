import { Context, type Effect } from "effect"

/** How often a public link or an embed is answered: `SHARED_REQUESTS_PER_MINUTE`, each on its own, in this process. */
export class LinkLimits extends Context.Service<
  LinkLimits,
  {
    /** Counts a request: 0 if it may be answered, otherwise the whole seconds until the next may. */
    readonly take: (link: string) => Effect.Effect<number>
  }
>()("footfall/ports/LinkLimits") {}
