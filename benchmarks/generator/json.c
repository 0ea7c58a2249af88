#include "json.h"

#include <string.h>

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    return at;
}

/* `at` is at the opening quote; returns the place after the closing one. */
static const char *skip_string(const char *at, const char *end) {
    const char *inside = ++at;
    while (at < end && (at = memchr(at, '"', (size_t)(end - at)))) {
        const char *before = at;
        while (before > inside && before[-1] == '\\') before--;
        if ((at - before) % 2 == 0) return at + 1; /* not escaped */
        at++;
    }
    return end;
}

static const char *skip_value(const char *at, const char *end) {
    int depth = 0;
    while (at < end) {
        switch (*at) {
        case '"':
            at = skip_string(at, end);
            if (depth == 0) return at;
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0) return at; /* the end of what a bare scalar stands in */
            if (--depth == 0) return at + 1;
            break;
        case ',':
        case ' ':
        case '\n':
        case '\r':
        case '\t':
            if (depth == 0) return at;
            break;
        }
        at++;
    }
    return end;
}

bool json_member(struct span object, const char *key, struct span *value) {
    const char *end = object.end;
    const char *at = skip_space(object.start, end);
    size_t key_bytes = strlen(key);
    if (at >= end || *at != '{') return false;
    at = skip_space(at + 1, end);
    while (at < end && *at == '"') {
        const char *name = at + 1;
        at = skip_string(at, end);
        size_t name_bytes = (size_t)(at - 1 - name);
        at = skip_space(at, end);
        if (at >= end || *at != ':') return false;
        at = skip_space(at + 1, end);
        value->start = at;
        value->end = at = skip_value(at, end);
        if (name_bytes == key_bytes && memcmp(name, key, key_bytes) == 0) return true;
        at = skip_space(at, end);
        if (at >= end || *at != ',') return false;
        at = skip_space(at + 1, end);
    }
    return false;
}

bool json_next(struct span *rest, struct span *element) {
    const char *end = rest->end;
    const char *at = skip_space(rest->start, end);
    if (at >= end || (*at != '[' && *at != ',')) return false;
    at = skip_space(at + 1, end);
    if (at >= end || *at == ']') return false;
    element->start = at;
    element->end = rest->start = skip_value(at, end);
    return true;
}

uint64_t json_number(struct span value, uint64_t otherwise) {
    uint64_t number = 0;
    if (value.start >= value.end) return otherwise;
    for (const char *at = value.start; at < value.end; at++) {
        if (*at < '0' || *at > '9') return otherwise;
        number = number * 10 + (uint64_t)(*at - '0');
    }
    return number;
}

bool json_is(struct span value, const char *text) {
    struct span inside = json_inside(value);
    size_t bytes = strlen(text);
    return (size_t)(inside.end - inside.start) == bytes && bytes > 0 && memcmp(inside.start, text, bytes) == 0;
}

struct span json_inside(struct span value) {
    if (value.end - value.start < 2 || *value.start != '"') return (struct span){value.start, value.start};
    return (struct span){value.start + 1, value.end - 1};
}
