import "effect/schema/SchemaJITCompiler/enable"
import { collector } from "./app/collector.ts"

// No other file may import this one: in a bundle, `import.meta.main` is true for every module.
collector()
