/* The sessions: opened from a plan, greeted, and waited on together in one epoll loop.
 *
 * The plan is a file with a session a line: `post TOKEN CONVERSATION` or `read TOKEN CONVERSATION`.
 * Pings are answered here. A session that the server closes ends the run.
 */
#ifndef SESSIONS_H
#define SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "options.h"

/* Request ids below this one are for greeting; what a mode sends begins here. */
#define FIRST_REQUEST 16

enum session_state { SESSION_AWAY, SESSION_UPGRADING, SESSION_GREETING, SESSION_OPEN };

struct session {
    size_t index;
    bool posts;
    char *token;
    char *conversation;
    enum session_state state;
    int socket;
    uint64_t greeted; /* when hello was sent */
    char *pending;    /* the first part of a frame whose rest has not come yet */
    size_t pending_bytes;
};

/* Told of every text frame, the welcome included; `now` is when it was read from the socket. */
typedef void frame_handler(struct session *session, struct span frame, uint64_t now);

/* Told of the message in a push. */
typedef void message_handler(struct session *session, struct span message, uint64_t now);

/* Told of the frame that answers the request `id` of a mode. */
typedef void answer_handler(struct session *session, struct span frame, uint64_t id, uint64_t now);

extern struct session *sessions;
extern size_t session_count;

/* Reads the plan; no session is open. */
void sessions_prepare(const struct options *options, frame_handler *handler);

/* Begins to open a session that is away: it is SESSION_OPEN when it has been welcomed. */
void session_come(struct session *session);

/* Closes an open session as a browser does whose page is closed; not to be called by a frame handler. */
void session_go(struct session *session);

/* Prepares, opens every session of the plan and returns when the last one has been welcomed. */
void sessions_open(const struct options *options, frame_handler *handler);

/* Waits for frames until `until` at the latest, handles what came, and returns. */
void sessions_wait(uint64_t until);

/* For frame handlers: tells `on_message` of a message that a reading session was sent, and `on_answer` of an answer. */
void session_sort(struct session *session, struct span frame, uint64_t now, message_handler *on_message,
                  answer_handler *on_answer);

/* Sends one text frame at once. */
void session_send(struct session *session, const char *text, size_t bytes);

#endif
