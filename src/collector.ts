import "effect/schema/SchemaJITCompiler/enable"
import { collector } from "./app/collector.ts"

// Nothing else may import this file: in a bundle `import.meta.main` holds for every module.
collector()
