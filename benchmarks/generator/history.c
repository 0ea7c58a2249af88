/* Pages of one conversation at random places. That every page is whole and is the one asked for is
 * checked, so a server cannot be quick by answering less. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "histogram.h"
#include "meter.h"
#include "modes.h"
#include "sessions.h"

static const struct options *options;
static struct request {
    uint64_t started;
    uint64_t before; /* the page holds the messages just below this seq */
} *requests;         /* by session index */
static bool asking;
static uint64_t in_flight, pages_measured;
static struct meter meter;
static struct histogram latency;

static void ask(struct session *session) {
    struct request *request = &requests[session->index];
    char text[256];
    request->before = options->page + 1 + random_bits() % (options->messages - options->page + 1);
    int bytes = snprintf(text, sizeof text,
                         "{\"id\":%d,\"op\":\"messages.list\",\"conversation\":\"%s\",\"before\":%llu,\"limit\":%u}",
                         FIRST_REQUEST, session->conversation, (unsigned long long)request->before, options->page);
    request->started = clock_now();
    in_flight++;
    session_send(session, text, (size_t)bytes);
}

static void check_page(const struct session *session, struct span messages) {
    uint64_t expected = requests[session->index].before - options->page;
    struct span message, seq;
    while (json_next(&messages, &message)) {
        if (!json_member(message, "seq", &seq) || json_number(seq, 0) != expected)
            fail("session %zu: message %llu is not where it belongs in the page", session->index,
                 (unsigned long long)expected);
        expected++;
    }
    if (expected != requests[session->index].before)
        fail("session %zu: a page with %llu messages missing", session->index,
             (unsigned long long)(requests[session->index].before - expected));
}

static void take_frame(struct session *session, struct span frame, uint64_t now) {
    struct span id, ok, messages;
    if (!json_member(frame, "id", &id) || json_number(id, 0) != FIRST_REQUEST) return;
    if (!json_member(frame, "ok", &ok) || !json_member(ok, "messages", &messages))
        fail("session %zu: refused: %.*s", session->index, (int)(frame.end - frame.start), frame.start);
    check_page(session, messages);
    in_flight--;
    if (meter_covers(&meter, now)) {
        pages_measured++;
        histogram_add(&latency, now - requests[session->index].started);
    }
    if (asking) ask(session);
}

void run_history(const struct options *given) {
    options = given;
    if (options->messages < options->page || options->duration == 0) fail("history needs --messages and --seconds");
    sessions_open(options, take_frame);
    requests = calloc(session_count, sizeof *requests);
    if (!requests) fail("out of memory");
    uint64_t start = clock_now(), measure = start + options->warm_up, stop = measure + options->duration;
    asking = true;
    for (size_t i = 0; i < session_count; i++) ask(&sessions[i]);
    for (uint64_t now = start; now < stop; now = clock_now()) {
        if (meter.began == 0 && now >= measure) meter_begin(&meter, options->server, now);
        sessions_wait(now < measure ? measure : stop);
    }
    asking = false;
    meter_end(&meter, clock_now());
    while (in_flight > 0) sessions_wait(clock_now() + SECOND);
    printf("{\"pages\": %llu, ", (unsigned long long)pages_measured);
    meter_print(&meter);
    fputs(", ", stdout);
    histogram_print("page_ms", &latency);
    puts("}");
}
