import { Effect } from "effect"
import { Groups } from "../ports/Groups.ts"
import type { PeopleError } from "../ports/PeopleError.ts"
import { Settings } from "../ports/Settings.ts"
import { OIDC_GROUP_MAP } from "../settings/settings.ts"
import { missingGroup } from "../settings/singleSignOn.ts"

/** The names in `OIDC_GROUP_MAP` that no group has, so that signing in adds the user to none. */
export const missingMappedGroups: Effect.Effect<ReadonlyArray<string>, PeopleError, Groups | Settings> = Effect.gen(
  function* () {
    const mapped = [...new Set([...(yield* Settings).get(OIDC_GROUP_MAP).groupsOf.values()].flat())]
    if (mapped.length === 0) return []
    const names = new Set((yield* (yield* Groups).list).map(({ name }) => name.toLowerCase()))
    return mapped.filter((name) => !names.has(name.toLowerCase()))
  }
)

/** Says at the start which groups of `OIDC_GROUP_MAP` do not exist. If it cannot be known, `doctor` says why. */
export const warnOfMissingGroups: Effect.Effect<void, never, Groups | Settings> = missingMappedGroups.pipe(
  Effect.orElseSucceed((): ReadonlyArray<string> => []),
  Effect.flatMap((names) => Effect.forEach(names, (name) => Effect.logWarning(missingGroup(name)), { discard: true }))
)
