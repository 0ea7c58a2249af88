/* Just enough JSON to read what a chat server says: no copies, no allocation.
 *
 * A span points into the frame it was read from and is valid as long as that frame is. The reader
 * trusts its input to be JSON; on anything else it finds nothing, and never reads past the end.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>

struct span {
    const char *start;
    const char *end;
};

/* Finds the member `key` of `object` itself (not of what is nested in it). */
bool json_member(struct span object, const char *key, struct span *value);

/* Walks an array: start with `*rest` as the whole array; each call gives the next element. */
bool json_next(struct span *rest, struct span *element);

/* The number in `value`, or `otherwise` when it is not a whole number of at least 0. */
uint64_t json_number(struct span value, uint64_t otherwise);

/* Whether `value` is the string `text` (which has nothing in it that JSON would escape). */
bool json_is(struct span value, const char *text);

/* The inside of a string, escapes left as they are; empty when `value` is not a string. */
struct span json_inside(struct span value);

#endif
