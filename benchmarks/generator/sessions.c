#define _GNU_SOURCE
#include "sessions.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "websocket.h"

/* How many sessions may be on their way in at once: below the listening queue of any server. */
#define OPENING_AT_ONCE 64
#define LONGEST_OUTGOING 1024

struct session *sessions;
size_t session_count;

static frame_handler *handle_frame;
static const char *hello_cursor;
static uint16_t server_port;
static size_t open_count;
static int poller;
static char incoming[1 << 20];

static void read_plan(const char *path) {
    char *line = NULL, kind[8], token[512], conversation[512];
    size_t room = 0, listed = 0;
    FILE *file = fopen(path, "r");
    if (!file) fail("%s: %s", path, strerror(errno));
    while (getline(&line, &room, file) > 0) {
        if (sscanf(line, "%7s %511s %511s", kind, token, conversation) != 3) fail("%s: bad line: %s", path, line);
        if (session_count == listed) {
            listed = listed ? listed * 2 : 64;
            sessions = realloc(sessions, listed * sizeof *sessions);
            if (!sessions) fail("out of memory");
        }
        sessions[session_count] = (struct session){
            .index = session_count,
            .posts = strcmp(kind, "post") == 0,
            .token = strdup(token),
            .conversation = strdup(conversation),
        };
        session_count++;
    }
    free(line);
    fclose(file);
    if (session_count == 0) fail("%s lists no sessions", path);
}

static void send_all(struct session *session, const char *bytes, size_t length) {
    ssize_t sent = send(session->socket, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) fail("session %zu: send: %s", session->index, strerror(errno));
    /* A window of chat messages fits any socket buffer many times over. */
    if ((size_t)sent != length) fail("session %zu: the server does not read what it is sent", session->index);
}

static void send_frame(struct session *session, enum opcode opcode, const char *payload, size_t bytes) {
    char frame[LONGEST_OUTGOING + FRAME_HEADER_BYTES];
    if (bytes > LONGEST_OUTGOING) fail("a frame of %zu bytes is too long to send", bytes);
    send_all(session, frame, websocket_encode(frame, opcode, payload, bytes));
}

void session_send(struct session *session, const char *text, size_t bytes) {
    send_frame(session, OPCODE_TEXT, text, bytes);
}

static void greet(struct session *session) {
    char hello[LONGEST_OUTGOING];
    int bytes = snprintf(hello, sizeof hello, "{\"id\":1,\"op\":\"hello\",\"token\":\"%s\"%s%s}", session->token,
                         hello_cursor ? ",\"cursor\":" : "", hello_cursor ? hello_cursor : "");
    session->state = SESSION_GREETING;
    session->greeted = clock_now();
    session_send(session, hello, (size_t)bytes);
}

/* Returns how many bytes the answer to the upgrade took, or 0 when it is not all there yet. */
static size_t finish_upgrade(struct session *session, const char *bytes, size_t available) {
    const char *blank = memmem(bytes, available, "\r\n\r\n", 4);
    if (!blank) return 0;
    if (available < 12 || memcmp(bytes + 8, " 101", 4) != 0)
        fail("session %zu: the upgrade was refused: %.*s", session->index, (int)(blank - bytes), bytes);
    greet(session);
    return (size_t)(blank + 4 - bytes);
}

static void take_text(struct session *session, struct span text, uint64_t now) {
    if (session->state == SESSION_GREETING) {
        if (!memmem(text.start, (size_t)(text.end - text.start), "\"welcome\"", 9))
            fail("session %zu was not welcomed: %.*s", session->index, (int)(text.end - text.start), text.start);
        session->state = SESSION_OPEN;
        open_count++;
    }
    handle_frame(session, text, now);
}

static void take_frame(struct session *session, const struct frame *frame, uint64_t now) {
    struct span payload = frame->payload;
    size_t bytes = (size_t)(payload.end - payload.start);
    if (!frame->whole) fail("session %zu: a message in several frames", session->index);
    switch (frame->opcode) {
    case OPCODE_TEXT:
        take_text(session, payload, now);
        break;
    case OPCODE_PING:
        send_frame(session, OPCODE_PONG, payload.start, bytes);
        break;
    case OPCODE_PONG:
        break;
    case OPCODE_CLOSE:
        if (bytes < 2) fail("session %zu: closed by the server", session->index);
        fail("session %zu: closed by the server: %d %.*s", session->index,
             (unsigned char)payload.start[0] << 8 | (unsigned char)payload.start[1], (int)bytes - 2, payload.start + 2);
    default:
        fail("session %zu: a frame of kind %d", session->index, frame->opcode);
    }
}

static void keep_rest(struct session *session, const char *rest, size_t bytes) {
    if (bytes > 0) {
        session->pending = realloc(session->pending, bytes);
        if (!session->pending) fail("out of memory");
        memcpy(session->pending, rest, bytes);
    }
    session->pending_bytes = bytes;
}

static void receive(struct session *session) {
    size_t available = session->pending_bytes, taken = 0;
    if (available == sizeof incoming) fail("session %zu: a frame of more than %zu bytes", session->index, available);
    if (available > 0) memcpy(incoming, session->pending, available);
    ssize_t received = recv(session->socket, incoming + available, sizeof incoming - available, MSG_DONTWAIT);
    uint64_t now = clock_now();
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (received < 0) fail("session %zu: recv: %s", session->index, strerror(errno));
    if (received == 0) fail("session %zu: the server hung up", session->index);
    available += (size_t)received;
    if (session->state == SESSION_UPGRADING) taken = finish_upgrade(session, incoming, available);
    if (session->state != SESSION_UPGRADING) {
        struct frame frame;
        size_t step;
        while ((step = websocket_decode(incoming + taken, available - taken, &frame)) > 0) {
            take_frame(session, &frame, now);
            taken += step;
        }
    }
    keep_rest(session, incoming + taken, available - taken);
}

void session_come(struct session *session) {
    char request[LONGEST_OUTGOING], host[32];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server_port)};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    session->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (session->socket < 0) fail("socket: %s", strerror(errno));
    if (connect(session->socket, (struct sockaddr *)&address, sizeof address) < 0)
        fail("session %zu: connect: %s", session->index, strerror(errno));
    setsockopt(session->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = session};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, session->socket, &interest) < 0) fail("epoll_ctl: %s", strerror(errno));
    snprintf(host, sizeof host, "127.0.0.1:%u", server_port);
    session->state = SESSION_UPGRADING;
    send_all(session, request, websocket_upgrade(request, sizeof request, host, "/v1/socket"));
}

void session_go(struct session *session) {
    static const char going_away[2] = {1001 >> 8, 1001 & 0xff};
    send_frame(session, OPCODE_CLOSE, going_away, sizeof going_away);
    close(session->socket); /* which takes it out of the poller too */
    session->pending_bytes = 0;
    session->state = SESSION_AWAY;
    open_count--;
}

void sessions_prepare(const struct options *options, frame_handler *handler) {
    handle_frame = handler;
    hello_cursor = options->cursor;
    server_port = options->port;
    read_plan(options->plan);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1: %s", strerror(errno));
}

void sessions_open(const struct options *options, frame_handler *handler) {
    sessions_prepare(options, handler);
    size_t connected = 0;
    while (open_count < session_count) {
        while (connected < session_count && connected - open_count < OPENING_AT_ONCE)
            session_come(&sessions[connected++]);
        size_t before = open_count;
        uint64_t patience = clock_now() + 30 * SECOND;
        while (open_count == before) {
            sessions_wait(patience);
            if (clock_now() >= patience) fail("no session was welcomed in 30 seconds; %zu are open", open_count);
        }
    }
}

void sessions_wait(uint64_t until) {
    struct epoll_event events[256];
    uint64_t now = clock_now();
    uint64_t wait = until > now ? until - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(wait / SECOND), .tv_nsec = (long)(wait % SECOND)};
    int ready = epoll_pwait2(poller, events, 256, &timeout, NULL);
    if (ready < 0 && errno != EINTR) fail("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
}

void session_sort(struct session *session, struct span frame, uint64_t now, message_handler *on_message,
                  answer_handler *on_answer) {
    struct span value;
    if (json_member(frame, "event", &value)) {
        if (!session->posts && json_is(value, "message.posted") && json_member(frame, "message", &value))
            on_message(session, value, now);
    } else if (json_member(frame, "id", &value)) {
        uint64_t id = json_number(value, 0);
        if (id >= FIRST_REQUEST) on_answer(session, frame, id, now);
    }
}
