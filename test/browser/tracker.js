/**
 * What Umami's tracker 3.1 does on the wire, written for tests: payloads, the `cache` token and
 * its header, `disabled`, attributes, hooks on the history, and performance figures.
 */
;(() => {
  const script = document.currentScript
  const attribute = (name) => script.getAttribute(`data-${name}`)
  const website = attribute("website-id")
  const tag = attribute("tag")
  const domains = (attribute("domains") ?? "").split(",").flatMap((domain) => domain.trim() || [])
  const endpoint = `${(attribute("host-url") ?? script.src.replace(/\/[^/]*$/, "")).replace(/\/$/, "")}/api/send`

  let cache
  let disabled = false
  let identity
  let url = location.href
  let referrer = document.referrer.startsWith(location.origin) ? "" : document.referrer

  const strip = (text) => {
    const stripped = new URL(text, location.href)
    if (attribute("exclude-search") === "true") stripped.search = ""
    if (attribute("exclude-hash") === "true") stripped.hash = ""
    return stripped.href
  }

  const mayTrack = () =>
    !disabled &&
    website !== null &&
    localStorage.getItem("umami.disabled") === null &&
    (domains.length === 0 || domains.includes(location.hostname)) &&
    !(attribute("do-not-track") === "true" && navigator.doNotTrack === "1")

  const payload = () => ({
    website,
    screen: `${screen.width}x${screen.height}`,
    language: navigator.language,
    title: document.title,
    hostname: location.hostname,
    url: strip(url),
    referrer,
    ...(tag !== null && { tag }),
    ...(identity !== undefined && { id: identity })
  })

  const send = async (body, type = "event") => {
    if (!mayTrack()) return
    const beforeSend = window[attribute("before-send") ?? ""]
    const sent = typeof beforeSend === "function" ? await beforeSend(type, body) : body
    if (!sent) return
    try {
      const response = await fetch(endpoint, {
        method: "POST",
        keepalive: true,
        credentials: attribute("fetch-credentials") ?? "omit",
        headers: { "Content-Type": "application/json", ...(cache !== undefined && { "x-umami-cache": cache }) },
        body: JSON.stringify({ type, payload: sent })
      })
      const answer = await response.json()
      disabled = Boolean(answer.disabled)
      cache = answer.cache
    } catch {
      // A tracker is never the reason for an error on the page.
    }
  }

  const track = (what, data) => {
    if (typeof what === "string") return send({ ...payload(), name: what, ...(data !== undefined && { data }) })
    if (typeof what === "function") return send(what(payload()))
    return send(what ?? payload())
  }

  const identify = (id, data) => {
    if (typeof id === "string") identity = id
    cache = ""
    const attributes = typeof id === "object" ? id : data
    return send({ ...payload(), ...(attributes !== undefined && { data: attributes }) }, "identify")
  }

  /** Figures in milliseconds, the layout shift without a unit. */
  const figures = {}
  let performanceSent = false
  const observe = (type, take, options = {}) => {
    try {
      new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true, ...options })
    } catch {
      // This browser does not measure it.
    }
  }
  const sendPerformance = () => {
    if (performanceSent || attribute("performance") !== "true") return
    performanceSent = true
    const [navigation] = performance.getEntriesByType("navigation")
    const { website, title, hostname, url, ...rest } = payload()
    const page = { website, title, hostname, url, ...(rest.id !== undefined && { id: rest.id }) }
    return send(
      { ...page, ...figures, ttfb: navigation?.responseStart ?? 0, duration: performance.now() },
      "performance"
    )
  }
  if (attribute("performance") === "true") {
    observe("paint", (entry) => {
      if (entry.name === "first-contentful-paint") figures.fcp = entry.startTime
    })
    observe("largest-contentful-paint", (entry) => {
      figures.lcp = entry.startTime
    })
    observe("layout-shift", (entry) => {
      if (!entry.hadRecentInput) figures.cls = (figures.cls ?? 0) + entry.value
    })
    const interaction = (entry) => {
      if (entry.interactionId) figures.inp = Math.max(figures.inp ?? 0, entry.duration)
    }
    observe("event", interaction, { durationThreshold: 16 })
    setTimeout(sendPerformance, 10_000)
    addEventListener("pagehide", sendPerformance)
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && sendPerformance())
  }

  /** The page's own router calls these; a view is sent 300 ms later, when the title is the new page's. */
  const hook = (method) => {
    const original = history[method]
    history[method] = function (...args) {
      const result = original.apply(this, args)
      const next = args[2] === undefined || args[2] === null ? url : new URL(args[2], location.href).href
      if (next !== url) {
        sendPerformance()
        referrer = url
        url = next
        setTimeout(() => track(), 300)
      }
      return result
    }
  }

  window.umami = { track, identify, getSession: () => ({ cache, website }) }

  if (attribute("auto-track") !== "false" && mayTrack()) {
    hook("pushState")
    hook("replaceState")
    addEventListener("popstate", () => {
      if (location.href === url) return
      referrer = url
      url = location.href
      setTimeout(() => track(), 300)
    })
    document.addEventListener("click", (event) => {
      const element = event.target.closest?.("[data-umami-event]")
      if (!element) return
      const data = {}
      for (const { name, value } of element.attributes) {
        const key = /^data-umami-event-(.+)$/.exec(name)?.[1]
        if (key !== undefined) data[key] = value
      }
      void track(element.getAttribute("data-umami-event"), data)
    })
    if (document.readyState === "complete") void track()
    else addEventListener("load", () => track())
  }
})()
