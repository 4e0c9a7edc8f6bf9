/**
 * The least that any collector on this runtime does: parse a JSON body and answer JSON of the same size as ours. The benchmarks measure
 * everything that Footfall takes beyond this.
 */
const answer = {
  // As long as one of our tokens.
  cache: `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.${"x".repeat(250)}.${"x".repeat(43)}`,
  sessionId: "e0d9376c-86d4-521d-abcb-e05be8a7f726",
  visitId: "b3bbdd7c-65a5-5855-b0f2-a30b6873e913"
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"] ?? 0),
  routes: {
    "/livez": new Response("ok"),
    "/api/send": {
      POST: async (request) => {
        const body = (await request.json()) as { readonly payload?: unknown }
        return body.payload === undefined ? new Response(null, { status: 400 }) : Response.json(answer)
      }
    }
  },
  fetch: () => new Response(null, { status: 404 })
})
console.log(server.url.href)
