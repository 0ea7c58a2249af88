/* What the generator can do; each mode prints one JSON object on stdout. */
#ifndef MODES_H
#define MODES_H

#include "options.h"

/* Sends messages; counts and times their acks and their deliveries. */
void run_post(const struct options *options);

/* Posts, and does what people do beside: marks, typing, statuses, history, search; times each kind. */
void run_mixed(const struct options *options);

/* Asks for pages at random places of one conversation, one request in flight per session. */
void run_history(const struct options *options);

/* Says `ready` when every session is open, then holds them until stdin is closed. */
void run_idle(const struct options *options);

/* Opens and closes every session again and again; says `ready` when all have come once, and goes on until stdin
 * is closed. */
void run_flap(const struct options *options);

/* Opens one session; with a cursor, follows the replay until the server says `live`. */
void run_hello(const struct options *options);

#endif
