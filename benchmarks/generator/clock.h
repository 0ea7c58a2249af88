/* Time, processor time and random bits. Times are nanoseconds; 0 means "no time". */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <sys/types.h>

#define SECOND 1000000000ULL

/* The monotonic clock. */
uint64_t clock_now(void);

/* Wall-clock milliseconds since 1970, for identifiers that begin with the time. */
uint64_t clock_wall_ms(void);

/* Processor time that a process has used, user and system, in all its threads; to 1/100 s. 0 for pid 0. */
uint64_t clock_used_by(pid_t pid);

/* Processor time that this process has used. */
uint64_t clock_used_here(void);

/* 64 fast, repeatable, not at all secret random bits. */
uint64_t random_bits(void);

#endif
