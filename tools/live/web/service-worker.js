// Keeps the runtime of the live cells, and nothing else, so that it works without a network after the first time.
//
// Only files in the two folders whose names are fingerprints are kept: what stands at such an address never changes.
// Pages are never kept nor answered from here; this worker is not even asked for them, since its scope is its folder.
"use strict";

const NAME = "live";
const KEPT = /\/live\/[pr]-[0-9a-f]{16}\//;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && KEPT.test(event.request.url)) event.respondWith(answer(event));
});

async function answer(event) {
  const { request } = event;
  const kept = await caches.open(NAME);
  const found = await kept.match(request.url);
  if (found) return found;
  const response = await fetch(request);
  if (response.status === 200) {
    event.waitUntil(kept.put(request.url, response.clone()).catch(() => {})); // a full disk is no reason to stop
  }
  return response;
}

// The page names its folders; what an earlier build of the site left behind goes.
self.addEventListener("message", (event) => {
  const wanted = event.data.keep;
  event.waitUntil(
    caches.open(NAME).then(async (kept) => {
      for (const request of await kept.keys()) {
        if (!wanted.some((folder) => request.url.startsWith(folder))) await kept.delete(request);
      }
    }),
  );
});
