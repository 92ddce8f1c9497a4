/* json.c - reads JSON that strangers wrote: is it whole, and what are its leaves? */
#include "cli.h"

#include <string.h>

#define DEPTH_MAX 32

typedef struct walk {
    const char *at, *end;
    char path[256];                    /* "a.b"; what does not fit is not reported */
    json_leaf_fn leaf;
    void *user;
    bool lost;                         /* the path did not fit */
} walk;

static void skip_blanks(walk *w)
{
    while (w->at < w->end && strchr(" \t\r\n", *w->at) != NULL && *w->at != '\0')
        w->at++;
}

static bool take(walk *w, char c)
{
    skip_blanks(w);
    if (w->at == w->end || *w->at != c)
        return false;
    w->at++;
    return true;
}

/* Copies what lies between the quotes into `out`, cut at its room. */
static bool take_string(walk *w, char *out, size_t room)
{
    const char *from;
    size_t n;

    if (!take(w, '"'))
        return false;
    for (from = w->at; w->at < w->end && *w->at != '"'; w->at++) {
        if ((unsigned char)*w->at < 0x20)
            return false;
        if (*w->at == '\\' && (++w->at == w->end || strchr("\"\\/bfnrtu", *w->at) == NULL || *w->at == '\0'))
            return false;
        if (*w->at == 'u' && w->at[-1] == '\\' && (w->end - w->at < 5 || strspn(w->at + 1, "0123456789abcdefABCDEF") < 4))
            return false;
    }
    n = (size_t)(w->at - from) < room ? (size_t)(w->at - from) : room - 1;
    memcpy(out, from, n);
    out[n] = '\0';
    return take(w, '"');
}

static size_t digits(walk *w)
{
    const char *from = w->at;

    while (w->at < w->end && *w->at >= '0' && *w->at <= '9')
        w->at++;
    return (size_t)(w->at - from);
}

static bool skip_number(walk *w)
{
    if (*w->at == '-')
        w->at++;
    if (w->at == w->end || (*w->at == '0' && w->end - w->at > 1 && w->at[1] >= '0' && w->at[1] <= '9') || digits(w) == 0)
        return false;
    if (w->at < w->end && *w->at == '.' && (w->at++, digits(w) == 0))
        return false;
    if (w->at < w->end && (*w->at == 'e' || *w->at == 'E')) {
        w->at++;
        if (w->at < w->end && (*w->at == '+' || *w->at == '-'))
            w->at++;
        return digits(w) > 0;
    }
    return true;
}

/* A number or a literal. */
static bool take_word(walk *w, char *out, size_t room)
{
    static const char *const literals[] = { "true", "false", "null" };
    const char *from = w->at;
    size_t n;

    for (size_t i = 0; i < 3; i++)
        if ((size_t)(w->end - from) >= strlen(literals[i]) && strncmp(from, literals[i], strlen(literals[i])) == 0)
            w->at = from + strlen(literals[i]);
    if (w->at == from && !skip_number(w))
        return false;
    n = (size_t)(w->at - from) < room ? (size_t)(w->at - from) : room - 1;
    memcpy(out, from, n);
    out[n] = '\0';
    return true;
}

static bool take_value(walk *w, int depth);

static bool take_member(walk *w, int depth)
{
    size_t before = strlen(w->path);
    char key[128];
    bool ok, lost = w->lost;

    if (!take_string(w, key, sizeof key) || !take(w, ':'))
        return false;
    if (before + strlen(key) + 2 > sizeof w->path)
        w->lost = true;
    else
        snprintf(w->path + before, sizeof w->path - before, "%s%s", before > 0 ? "." : "", key);
    ok = take_value(w, depth);
    w->path[before] = '\0';
    w->lost = lost;
    return ok;
}

static bool take_group(walk *w, char close, int depth)
{
    w->at++;
    if (depth == DEPTH_MAX)
        return false;
    if (take(w, close))
        return true;
    do {
        if (!(close == '}' ? take_member : take_value)(w, depth + 1))
            return false;
    } while (take(w, ','));
    return take(w, close);
}

static bool take_value(walk *w, int depth)
{
    char value[512];

    skip_blanks(w);
    if (w->at == w->end)
        return false;
    if (*w->at == '{' || *w->at == '[')
        return take_group(w, *w->at == '{' ? '}' : ']', depth);
    if (!(*w->at == '"' ? take_string : take_word)(w, value, sizeof value))
        return false;
    if (w->leaf != NULL && !w->lost)
        w->leaf(w->path, value, w->user);
    return true;
}

bool json_walk(const char *text, size_t len, json_leaf_fn leaf, void *user)
{
    walk w = { .at = text, .end = text + len, .leaf = leaf, .user = user };

    if (memchr(text, '\0', len) != NULL || !take_value(&w, 0))
        return false;
    skip_blanks(&w);
    return w.at == w.end;
}
