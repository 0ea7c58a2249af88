self.addEventListener("push", (event) => event.waitUntil(show(event.data.json())));

async function show(alert) {
  // Always show something: browsers end the subscription of a page that gets pushes in silence.
  await self.registration.showNotification(alert.title ?? "New notification", {
    body: alert.body ?? "",
    tag: alert.conversation ?? alert.id,
    renotify: alert.personal ?? false,
    silent: alert.silent ?? false,
    data: { url: alert.url ?? "/", seq: alert.seq ?? 0 },
  });
  // Close what was read on another device.
  for (const [conversation, seq] of Object.entries(alert.read ?? {})) {
    const shown = await self.registration.getNotifications({ tag: conversation });
    shown.filter((each) => each.data.seq <= seq).forEach((each) => each.close());
  }
  await self.navigator.setAppBadge?.(alert.badge);
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.url));
});

async function open(url) {
  const [tab] = await self.clients.matchAll({ type: "window" });
  if (!tab) return self.clients.openWindow(url);
  await (await tab.navigate(url))?.focus();
}
