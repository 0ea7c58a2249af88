/* One session. Without a cursor it reports where the server's log stands; with one it follows the
 * missed events until the server says `live`, and checks that their `gid` only ever rises. */
#include <stdio.h>

#include "clock.h"
#include "modes.h"
#include "sessions.h"

static bool resuming, live;
static uint64_t events, last_gid, live_at;
static char epoch[128], mode[32];
static uint64_t head;

static void copy(char *out, size_t room, struct span value) {
    snprintf(out, room, "%.*s", (int)(value.end - value.start), value.start);
}

static void take_welcome(struct span welcome) {
    struct span value;
    if (!json_member(welcome, "epoch", &value)) fail("a welcome without an epoch");
    copy(epoch, sizeof epoch, value);
    if (!json_member(welcome, "head", &value)) fail("a welcome without a head");
    head = json_number(value, 0);
    if (json_member(welcome, "mode", &value)) copy(mode, sizeof mode, json_inside(value));
}

static void take_event(struct span frame, struct span name, uint64_t now) {
    struct span value;
    if (json_is(name, "live")) {
        live = true;
        live_at = now;
    } else if (json_member(frame, "gid", &value)) {
        uint64_t gid = json_number(value, 0);
        if (gid <= last_gid) fail("gid %llu after %llu", (unsigned long long)gid, (unsigned long long)last_gid);
        last_gid = gid;
        events++;
    }
}

static void take_frame(struct session *session, struct span frame, uint64_t now) {
    struct span ok, welcome, name;
    (void)session;
    if (json_member(frame, "welcome", &welcome)) take_welcome(welcome);
    else if (json_member(frame, "ok", &ok) && json_member(ok, "welcome", &welcome)) take_welcome(welcome);
    else if (resuming && !live && json_member(frame, "event", &name)) take_event(frame, name, now);
}

void run_hello(const struct options *options) {
    resuming = options->cursor != NULL;
    sessions_open(options, take_frame);
    uint64_t patience = clock_now() + 60 * SECOND;
    while (resuming && !live) {
        sessions_wait(patience);
        if (clock_now() >= patience) fail("not live after 60 seconds and %llu events", (unsigned long long)events);
    }
    printf("{\"epoch\": %s, \"head\": %llu, \"mode\": \"%s\", \"events\": %llu, \"live_ms\": %.3f}\n", epoch,
           (unsigned long long)head, mode, (unsigned long long)events,
           live ? (double)(live_at - sessions[0].greeted) / 1e6 : 0.0);
}
