/* What the command line says, and the one way to give up. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct options {
    const char *mode;
    uint16_t port;
    const char *plan;     /* path of the file that lists the sessions */
    const char *cursor;   /* JSON for hello's `cursor`, or NULL */
    pid_t server;         /* whose processor time to measure; 0: nobody's */
    uint64_t warm_up;     /* nanoseconds before measuring */
    uint64_t duration;    /* nanoseconds of measuring; 0: until `messages` are through */
    uint64_t messages;    /* post: how many to send, 0: no limit; history: how many are stored */
    uint64_t rate;        /* messages a second in all; 0: as fast as the window allows */
    uint32_t window;      /* messages in flight for each sender */
    uint64_t here;        /* flap: nanoseconds for which a session is open, and then */
    uint64_t away;        /* closed: from a half of it to one and a half */
    uint32_t page;        /* messages in a page of history */
};

struct options options_read(int count, char **arguments);

/* Whether stdin has been closed, which ends the modes that go on until then. */
bool told_to_stop(void);

/* Prints to stderr and ends the process: a run with a fault in it measures nothing. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

#endif
