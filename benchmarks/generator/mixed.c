/* What people do beside posting: a round of a conversation is one message and all that follows from it.
 *
 * The `post` session sends; every reader marks the message as delivered when it gets it, and the first reader, who
 * looks at the conversation, as read. In some rounds the sender types before, or sets a status, and the first reader
 * opens the conversation or searches for the message that it just got. A conversation's next round begins when
 * everything of the last one is answered and delivered (closed loop), so that no kind can be neglected.
 *
 * Every answer must be `ok`, every reader must see `seq` rise by exactly one, and a search must find the message.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "histogram.h"
#include "meter.h"
#include "modes.h"
#include "sessions.h"

#define TYPING_EVERY 2
#define STATUS_EVERY 10
#define HISTORY_EVERY 20
#define SEARCH_EVERY 100
#define LONGEST_DRAIN (20 * SECOND)

enum kind { POST, DELIVERY, DELIVERED, READ, TYPING, STATUS, HISTORY, SEARCH, KINDS };
static const char *const NAMES[KINDS] = {"post",   "delivery", "delivered", "read",
                                         "typing", "status",   "history",   "search"};

struct conversation {
    struct session *sender;
    uint32_t readers;
    uint32_t awaited; /* answers and deliveries of this round that have not come */
    uint64_t round;   /* of all rounds of all conversations */
    uint64_t posted;
};

/* By session index. */
static struct state {
    struct conversation *conversation;
    bool looks; /* the first reader */
    uint64_t last_seq;
    uint64_t asked[KINDS]; /* when; 0: nothing of this kind is in flight */
} *states;

static const struct options *options;
static struct conversation *conversations;
static size_t conversation_count;
static bool going = true;
static struct meter meter;
static struct histogram latency[KINDS];
static uint64_t rounds, unfinished, acked, out_of_order, rounds_measured;

/* Sends a request of a kind; `format` is all of it after the id. */
__attribute__((format(printf, 3, 4))) static void ask(struct session *session, enum kind kind, const char *format, ...) {
    struct state *state = &states[session->index];
    char text[768];
    int bytes = snprintf(text, sizeof text, "{\"id\":%d,", FIRST_REQUEST + kind);
    va_list values;
    va_start(values, format);
    bytes += vsnprintf(text + bytes, sizeof text - (size_t)bytes, format, values);
    va_end(values);
    state->asked[kind] = clock_now();
    state->conversation->awaited++;
    session_send(session, text, (size_t)bytes);
}

static void begin_round(struct conversation *conversation) {
    struct session *sender = conversation->sender;
    const char *name = sender->conversation;
    uint64_t time = clock_wall_ms(), random = random_bits();
    conversation->round = ++rounds;
    unfinished++;
    if (rounds % TYPING_EVERY == 0) ask(sender, TYPING, "\"op\":\"typing\",\"conversation\":\"%s\"}", name);
    if (rounds % STATUS_EVERY == 0)
        ask(sender, STATUS, "\"op\":\"presence.status\",\"text\":\"round %llu\"}", (unsigned long long)rounds);
    ask(sender, POST,
        "\"op\":\"messages.post\",\"conversation\":\"%s\",\"cid\":\"%08x-%04x-7%03x-%04x-%012llx\","
        "\"text\":\"r%llu is a message as people write them, with %llu and some more words in it\"}",
        name, (unsigned)(time >> 16), (unsigned)(time & 0xffff), (unsigned)(random >> 52),
        (unsigned)(0x8000 | (sender->index & 0x3fff)), (unsigned long long)(random & 0xffffffffffff),
        (unsigned long long)rounds, (unsigned long long)(random % 1000));
    conversation->posted = states[sender->index].asked[POST];
    conversation->awaited += conversation->readers;
}

static void end_one(struct conversation *conversation, uint64_t now) {
    if (--conversation->awaited > 0) return;
    unfinished--;
    if (meter_covers(&meter, now)) rounds_measured++;
    if (going) begin_round(conversation);
}

static void take_delivery(struct session *session, struct span message, uint64_t now) {
    struct state *state = &states[session->index];
    struct conversation *conversation = state->conversation;
    struct span value;
    uint64_t seq = json_member(message, "seq", &value) ? json_number(value, 0) : 0;
    const char *name = session->conversation;
    if (state->last_seq != 0 && seq != state->last_seq + 1) out_of_order++;
    state->last_seq = seq;
    if (meter_covers(&meter, conversation->posted)) histogram_add(&latency[DELIVERY], now - conversation->posted);
    ask(session, DELIVERED, "\"op\":\"receipts.delivered\",\"conversation\":\"%s\",\"seq\":%llu}", name,
        (unsigned long long)seq);
    if (state->looks) {
        ask(session, READ, "\"op\":\"receipts.read\",\"conversation\":\"%s\",\"seq\":%llu}", name,
            (unsigned long long)seq);
        if (conversation->round % HISTORY_EVERY == 0)
            ask(session, HISTORY, "\"op\":\"messages.list\",\"conversation\":\"%s\",\"limit\":%u}", name, options->page);
        if (conversation->round % SEARCH_EVERY == 0)
            ask(session, SEARCH, "\"op\":\"search.messages\",\"query\":\"r%llu\"}",
                (unsigned long long)conversation->round);
    }
    end_one(conversation, now);
}

static void require_one_in(struct span ok, const char *list) {
    struct span elements, element;
    if (!json_member(ok, list, &elements) || !json_next(&elements, &element)) fail("an answer with no %s", list);
}

static void take_answer(struct session *session, struct span frame, uint64_t id, uint64_t now) {
    struct state *state = &states[session->index];
    struct span ok;
    if (!json_member(frame, "ok", &ok))
        fail("session %zu: refused: %.*s", session->index, (int)(frame.end - frame.start), frame.start);
    uint64_t kind = id - FIRST_REQUEST;
    if (kind >= KINDS || state->asked[kind] == 0) fail("session %zu: an answer to nothing", session->index);
    if (kind == POST) acked++;
    if (kind == HISTORY) require_one_in(ok, "messages");
    if (kind == SEARCH) require_one_in(ok, "results");
    if (meter_covers(&meter, state->asked[kind])) histogram_add(&latency[kind], now - state->asked[kind]);
    state->asked[kind] = 0;
    end_one(state->conversation, now);
}

static void take_frame(struct session *session, struct span frame, uint64_t now) {
    session_sort(session, frame, now, take_delivery, take_answer);
}

/* The plan lists each conversation's sender first, and its readers after it. */
static void prepare(void) {
    states = calloc(session_count, sizeof *states);
    conversations = calloc(session_count, sizeof *conversations);
    if (!states || !conversations) fail("out of memory");
    for (size_t i = 0; i < session_count; i++) {
        if (sessions[i].posts) conversations[conversation_count++].sender = &sessions[i];
        if (conversation_count == 0) fail("the plan begins with a reader");
        struct conversation *conversation = &conversations[conversation_count - 1];
        if (strcmp(conversation->sender->conversation, sessions[i].conversation) != 0)
            fail("session %zu reads a conversation that the one before does not post in", i);
        states[i].conversation = conversation;
        if (!sessions[i].posts) states[i].looks = conversation->readers++ == 0;
    }
}

static void run(void) {
    uint64_t now = clock_now(), measure = now + options->warm_up, stop = measure + options->duration;
    for (size_t i = 0; i < conversation_count; i++) begin_round(&conversations[i]);
    for (uint64_t give_up = UINT64_MAX; unfinished > 0 && now < give_up; now = clock_now()) {
        if (meter.began == 0 && now >= measure) meter_begin(&meter, options->server, now);
        if (going && now >= stop) {
            meter_end(&meter, now);
            going = false;
            give_up = now + LONGEST_DRAIN;
        }
        sessions_wait(now < measure ? measure : now < stop ? stop : give_up);
    }
}

static void report(void) {
    printf("{\"sent\": %llu, \"acked\": %llu, \"unfinished\": %llu, \"out_of_order\": %llu, \"messages\": %llu, ",
           (unsigned long long)rounds, (unsigned long long)acked, (unsigned long long)unfinished,
           (unsigned long long)out_of_order, (unsigned long long)rounds_measured);
    meter_print(&meter);
    fputs(", \"ms\": {", stdout);
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind > 0) fputs(", ", stdout);
        histogram_print(NAMES[kind], &latency[kind]);
    }
    puts("}}");
}

void run_mixed(const struct options *given) {
    options = given;
    if (options->duration == 0) fail("mixed needs --seconds");
    sessions_open(options, take_frame);
    prepare();
    run();
    report();
}
