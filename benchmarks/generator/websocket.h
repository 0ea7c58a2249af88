/* RFC 6455 as a client speaks it: no I/O, no allocation, no extensions.
 *
 * The answer to the upgrade is checked for its status alone; a load generator need not prove that
 * the server hashed the key. A message in more than one frame is refused: no server here sends one.
 */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

enum opcode { OPCODE_TEXT = 1, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10 };

/* The most bytes that a frame's own header takes when a client sends it: 2 + 8 + a mask of 4. */
#define FRAME_HEADER_BYTES 14

struct frame {
    enum opcode opcode;
    bool whole;
    struct span payload;
};

/* Writes the request that opens the socket; returns its length, or 0 when `room` is too small. */
size_t websocket_upgrade(char *out, size_t room, const char *host, const char *path);

/* Writes one masked frame into `out` (payload + FRAME_HEADER_BYTES long); returns its length. */
size_t websocket_encode(char *out, enum opcode opcode, const char *payload, size_t bytes);

/* Reads one frame; returns how many bytes it took, or 0 when it is not all there yet. */
size_t websocket_decode(const char *bytes, size_t available, struct frame *frame);

#endif
