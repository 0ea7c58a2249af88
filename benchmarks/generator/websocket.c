#include "websocket.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

size_t websocket_upgrade(char *out, size_t room, const char *host, const char *path) {
    int length = snprintf(out, room,
                          "GET %s HTTP/1.1\r\n"
                          "Host: %s\r\n"
                          "Upgrade: websocket\r\n"
                          "Connection: Upgrade\r\n"
                          "Sec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IhIQ==\r\n"
                          "Sec-WebSocket-Version: 13\r\n\r\n",
                          path, host);
    return length > 0 && (size_t)length < room ? (size_t)length : 0;
}

size_t websocket_encode(char *out, enum opcode opcode, const char *payload, size_t bytes) {
    unsigned char *at = (unsigned char *)out;
    *at++ = (unsigned char)(0x80 | opcode);
    if (bytes < 126) {
        *at++ = (unsigned char)(0x80 | bytes);
    } else if (bytes < 65536) {
        *at++ = 0x80 | 126;
        *at++ = (unsigned char)(bytes >> 8);
        *at++ = (unsigned char)bytes;
    } else {
        *at++ = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) *at++ = (unsigned char)(bytes >> shift);
    }
    uint64_t random = random_bits();
    unsigned char mask[4];
    memcpy(mask, &random, sizeof mask);
    memcpy(at, mask, sizeof mask);
    at += sizeof mask;
    for (size_t i = 0; i < bytes; i++) at[i] = (unsigned char)payload[i] ^ mask[i & 3];
    return (size_t)(at - (unsigned char *)out) + bytes;
}

size_t websocket_decode(const char *bytes, size_t available, struct frame *frame) {
    const unsigned char *head = (const unsigned char *)bytes;
    size_t header = 2;
    if (available < header) return 0;
    uint64_t length = head[1] & 0x7f;
    size_t wide = length == 126 ? 2 : length == 127 ? 8 : 0;
    header += wide;
    if (available < header) return 0;
    if (wide) {
        length = 0;
        for (size_t i = 0; i < wide; i++) length = length << 8 | head[2 + i];
    }
    if (length > available - header) return 0;
    frame->opcode = (enum opcode)(head[0] & 0x0f);
    frame->whole = (head[0] & 0x80) != 0 && (head[0] & 0x0f) != 0;
    frame->payload.start = bytes + header;
    frame->payload.end = bytes + header + length;
    return header + (size_t)length;
}
